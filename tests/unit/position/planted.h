// Shows that the comparison with a golden tells a mistake: the same comparison takes the right numbers and refuses
// those with the mistake, by far.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <ostream>
#include <string>

#include "unit/position/golden_case.h"

namespace longbow::test {

// What a mistake must change at least, relative to the largest value; comparisons allow 1e-5 at most.
inline constexpr double kTold = 1e-4;

struct Compared {
    at::Tensor found, expected;
};

struct Planted {
    std::string golden, mistake;
    // Computes what a case of the golden holds, rightly or with the mistake.
    std::function<Compared(const Case& one, bool planted)> compute;
    friend void PrintTo(const Planted& planted, std::ostream* out) {
        *out << planted.golden << ": " << planted.mistake;
    }
};

// A mistake need not show in each case. The cases are always the shipped ones, in which it is known to.
inline void expect_told(const Planted& planted) {
    const torch::NoGradGuard no_grad;
    const PositionGolden golden(planted.golden, /*shipped=*/true);
    double told = 0;
    for (const auto& item : golden.settings.items()) {
        const Case one(golden, item.key(), at::kDouble);
        const auto error = [&](bool with_mistake) {
            const auto [found, expected] = planted.compute(one, with_mistake);
            return relative_error(found, expected);
        };
        EXPECT_LT(error(false), 1e-10) << item.key() << " without the mistake";
        told = std::max(told, error(true));
    }
    EXPECT_GT(told, kTold) << planted.golden << ": " << planted.mistake;
}

}  // namespace longbow::test
