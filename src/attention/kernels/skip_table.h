// Exact skipping of far blocks of keys: a table says from which block of keys on each block of queries must look.
//
// Let K be the largest |k| at or before a key, and the tail of a query i and a block the logarithm of the sum of
// exp(bias) over all keys of the block and of those to its left. These keys together add at most exp(|q_i| K scale +
// tail) to a sum that is at least exp(s_ii), the weight of the query's own key with its bias. Where that ratio is below
// exp(-threshold), they are left out. With the default threshold, 24 ln 2, they weigh less than half a unit in the last
// place of an fp32 sum. Further to the left, neither K nor the tail is larger, so that one first block of keys per
// block of queries says all.
//
// The tail of a slope is -slope * distance - ln(1 - exp(-slope)), a geometric series from the block's nearest key on.
// That of terms by row and column (FoX) is row_i + the logarithm of the sum of exp(column) over the keys up to the
// block's end. That of a table is the logarithm of the sum of exp(table) over all distances from the nearest key's on.
// A slope beside them falls at least to its value at the nearest key.
#pragma once

#include "attention/kernels/params.h"

extern "C" {

// Whether a table can leave anything out: else none need be made. attention.h has the functions that make one. In it,
// heads skip nothing whose slope is negative, or zero without terms of columns or a table.
bool longbow_attention_can_skip(const longbow_attention* call, float threshold);

}  // extern "C"
