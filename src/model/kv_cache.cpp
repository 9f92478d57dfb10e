// Implements the key-value cache, whose tensors grow by doubling (position_state.h).
#include "longbow/model/language_model.h"

namespace longbow {

namespace {

template <class T>
T& of_layer(std::vector<T>& layers, std::size_t layer) {
    if (layers.size() <= layer) layers.resize(layer + 1);
    return layers[layer];
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KvCache::append(std::size_t layer, const at::Tensor& key, const at::Tensor& value) {
    return {of_layer(keys, layer).put(key, length, 2), of_layer(values, layer).put(value, length, 2)};
}

at::Tensor KvCache::append_far(std::size_t layer, const at::Tensor& far_key) {
    return of_layer(far_keys, layer).put(far_key, length, 2);
}

PositionState& KvCache::state(std::size_t layer) { return of_layer(states, layer); }

}  // namespace longbow
