// Continues what a method computes of each token over the tokens of a key-value cache.
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// Returns what `fresh`, of the new tokens of the call, continues: all tokens' along `dim`.
inline at::Tensor with_earlier(const PositionCall& call, const char* name, const at::Tensor& fresh, std::int64_t dim) {
    return call.state == nullptr ? fresh : call.state->append(name, fresh, call.keys, dim);
}

}  // namespace longbow
