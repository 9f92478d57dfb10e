// Draws the seeds of dropout masks that are functions of a seed.
#pragma once

#include <cstdint>

namespace longbow {

// Returns the next number of the default CPU generator. The trainer seeds that from (seed, update, micro-batch, rank),
// so the mask is a function of these.
std::int64_t draw_dropout_seed();

}  // namespace longbow
