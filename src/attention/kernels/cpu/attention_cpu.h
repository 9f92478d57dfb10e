// Declares the CPU kernels of attention as the operators call them. Results depend, in their last bits, on the
// instruction set but never on the number of threads.
#pragma once

#include <cstdint>

#include "attention/kernels/params.h"

extern "C" {

// A way to run tasks 0 .. tasks - 1, each perhaps in a thread of its own. run() returns when all are done.
struct longbow_parallel {
    void* context;
    void (*run)(void* context, std::int32_t tasks, void (*task)(void* data, std::int32_t index), void* data);
};

// Return the bytes that `workspace` must hold, 64-byte aligned. `threads` and the wanted gradients must be set.
std::int64_t longbow_attention_cpu_forward_workspace(const longbow_attention* params);
std::int64_t longbow_attention_cpu_backward_workspace(const longbow_attention* params);

longbow_status longbow_attention_cpu_forward(const longbow_attention* params, const longbow_parallel* parallel);
longbow_status longbow_attention_cpu_backward(const longbow_attention* params, const longbow_parallel* parallel);

// Sets fraction [batch, heads] to the share of blocks that first_key_block leaves of those that causality and the
// window leave; it is 1 where nothing is skipped.
void longbow_attention_cpu_visited(const longbow_attention* params, float* fraction);

// Returns the highest rate, in floating point operations a second, that one thread's matrix products reach, measured
// for 10 ms at the call. `longbow bench attention` states speeds as a fraction of it.
double longbow_attention_cpu_peak(std::int32_t dtype);

// The instruction set in use: "portable", "avx2", "avx512" or "avx512_bf16". By default the best that this CPU has.
const char* longbow_attention_cpu_instructions();
// Uses this instruction set from now on ("" or null: the best). Returns false, and changes nothing, if the CPU or this
// build does not have it. The environment variable LONGBOW_CPU_INSTRUCTIONS does the same at the first call.
bool longbow_attention_cpu_use_instructions(const char* name);

}  // extern "C"
