// What the CPU offers beside the functions that every device has (../attention.h).
#pragma once

#include <cstdint>

#include "attention/kernels/params.h"

extern "C" {

// Share of the blocks that causality and the window leave which first_key_block leaves too, [batch, heads]: 1 where
// nothing is skipped.
void longbow_attention_cpu_visited(const longbow_attention* call, float* fraction);

// Returns the highest rate, in floating point operations a second, that one thread's matrix products reach, measured
// for 10 ms at the call. `longbow bench attention` states speeds as a fraction of it.
double longbow_attention_cpu_peak(std::int32_t dtype);

// The instruction set in use: "portable", "avx2", "avx512" or "avx512_bf16". By default the best that this CPU has.
const char* longbow_attention_cpu_instructions();
// Uses this instruction set from now on ("" or null: the best). Returns false, and changes nothing, if the CPU or this
// build does not have it. The environment variable LONGBOW_CPU_INSTRUCTIONS does the same at the first call.
bool longbow_attention_cpu_use_instructions(const char* name);

}  // extern "C"
