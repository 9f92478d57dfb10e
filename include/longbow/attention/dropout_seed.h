// Where dropout masks that are functions of a seed get it from.
#pragma once

#include <cstdint>

namespace longbow {

// The next number of the default CPU generator, which the trainer seeds from (seed, update, micro-batch, rank): the
// mask is a function of these.
std::int64_t draw_dropout_seed();

}  // namespace longbow
