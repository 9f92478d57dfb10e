// Computes the tail of a slope, by which far blocks are skipped (skip_table.h), with operations that IEEE 754 rounds
// alike everywhere: the exponential functions of a GPU and of a CPU may differ in the last bit, and with them the
// tables of skipped blocks.
#pragma once

#include <cmath>

#if defined(__CUDACC__)
#define LONGBOW_EVERYWHERE __host__ __device__ inline
#else
#define LONGBOW_EVERYWHERE inline
#endif

namespace longbow {

// Returns ln(1 / (1 - exp(-slope))), or infinity for a slope that is not positive. Arithmetic has multiply() and add(),
// which round each result.
template <class Arithmetic>
LONGBOW_EVERYWHERE double slope_tail(double slope) {
    constexpr double kLog2E = 1.44269504088896340736, kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;
    constexpr double kNothing = 45.0;  // exp(-slope) is less than half a unit in the last place of 1
    if (!(slope > 0.0)) return HUGE_VAL;
    if (slope > kNothing) return 0.0;
    // With slope = powers ln 2 + rest, less = 1 - exp(-rest) is a Taylor series.
    const double powers = floor(Arithmetic::add(Arithmetic::multiply(slope, kLog2E), 0.5));
    const double rest = Arithmetic::add(Arithmetic::add(slope, -Arithmetic::multiply(powers, kLn2High)),
                                        -Arithmetic::multiply(powers, kLn2Low));
    double less = 0.0;
    for (int n = 16; n >= 1; --n) less = Arithmetic::multiply(rest / n, Arithmetic::add(1.0, -less));
    const double base =
        powers == 0.0 ? less : Arithmetic::add(1.0, -ldexp(Arithmetic::add(1.0, -less), -static_cast<int>(powers)));
    // ln(base) by the series of 2 atanh(z).
    int exponent = 0;
    double part = frexp(base, &exponent);
    if (part < 0.70710678118654752) part *= 2.0, --exponent;
    const double z = (part - 1.0) / (part + 1.0);
    const double square = Arithmetic::multiply(z, z);
    double series = 0.0;
    for (int n = 25; n >= 1; n -= 2) series = Arithmetic::add(1.0 / n, Arithmetic::multiply(square, series));
    const double logarithm = Arithmetic::multiply(2.0, Arithmetic::multiply(z, series));
    return -Arithmetic::add(Arithmetic::multiply(exponent, 0.69314718055994530942), logarithm);
}

}  // namespace longbow
