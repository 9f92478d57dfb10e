// The exact skipping of far blocks (as a range of blocks, like a sliding window whose width the data chooses).
//
// A query i at position p scores at most |q_i| K scale - slope * distance, where K is the largest |k| at or before a key, and at least its
// own key's score s_ii. All keys at a distance of d or more therefore add at most exp(|q_i| K scale - slope * d) / (1 - exp(-slope)) to a
// sum that is at least exp(s_ii): when that ratio is below exp(-threshold), they are left out. With the default threshold, 24 ln 2, what is
// left out is below half a unit in the last place of an fp32 sum. Keys to the left of a block are further away and bounded by the same K,
// so that each block of queries has one first block of keys.
#pragma once

#include "attention/kernels/params.h"

extern "C" {

// Into `first` [batch, heads, ceil(query_length / 64)]. Heads whose slope is not above zero, and calls that are not causal or have a
// distance table, skip nothing. Queries and keys are read once; heads are independent: [begin, end) of batch * heads.
// `longest`: null, or longest_keys of params.h, filled.
void longbow_skip_table(const longbow_attention* params, float threshold, std::int32_t* first, float* longest, std::int32_t begin,
                        std::int32_t end);

// Whether a table can leave anything out: else none need be made.
bool longbow_skip_table_helps(const longbow_attention* params, float threshold);

}  // extern "C"
