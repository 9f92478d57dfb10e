// Exact skipping of far blocks of keys under ALiBi: a table says from which block of keys on each block of queries must
// look.
//
// Let K be the largest |k| at or before a key. A query i scores that key at most |q_i| K scale - slope * distance, and
// its own key s_ii. All keys at a distance of d or more together therefore add at most exp(|q_i| K scale - slope * d) /
// (1 - exp(-slope)) to a sum that is at least exp(s_ii). Where that ratio is below exp(-threshold), these keys are left
// out. With the default threshold, 24 ln 2, they weigh less than half a unit in the last place of an fp32 sum. Keys
// further to the left have a larger distance and a K that is no larger, so that one first block of keys per block of
// queries says all.
#pragma once

#include "attention/kernels/params.h"

extern "C" {

// Whether a table can leave anything out: else none need be made. attention.h has the functions that make one. Heads
// whose slope is not above zero skip nothing in it.
bool longbow_attention_can_skip(const longbow_attention* call, float threshold);

}  // extern "C"
