// The CPU kernels of attention as the operators call them. Bits of the results depend on the instruction set, never on the threads.
#pragma once

#include <cstdint>

#include "attention/kernels/params.h"

extern "C" {

// How to run tasks 0 .. tasks - 1, each in a thread of its own if it likes; returns when all are done.
struct longbow_parallel {
    void* context;
    void (*run)(void* context, std::int32_t tasks, void (*task)(void* data, std::int32_t index), void* data);
};

// Bytes that `workspace` must hold, 64-byte aligned. `threads` and the wanted gradients must be set.
std::int64_t longbow_attention_cpu_forward_workspace(const longbow_attention* params);
std::int64_t longbow_attention_cpu_backward_workspace(const longbow_attention* params);

longbow_status longbow_attention_cpu_forward(const longbow_attention* params, const longbow_parallel* parallel);
longbow_status longbow_attention_cpu_backward(const longbow_attention* params, const longbow_parallel* parallel);

// Share of the blocks that causality and the window leave which first_key_block leaves too, [batch, heads]: 1 where nothing is skipped.
void longbow_attention_cpu_visited(const longbow_attention* params, float* fraction);

// Floating point operations a second that one thread's matrix products reach at most (measured now, for 10 ms): what a fraction of peak
// is a fraction of.
double longbow_attention_cpu_peak(std::int32_t dtype);

// "portable", "avx2", "avx512" or "avx512_bf16": what this CPU runs best, or what was asked for.
const char* longbow_attention_cpu_instructions();
// Uses this instruction set from now on ("" or null: the best). False when the CPU or this build has not got it. The environment
// variable LONGBOW_CPU_INSTRUCTIONS does the same at the first call.
bool longbow_attention_cpu_use_instructions(const char* name);

}  // extern "C"
