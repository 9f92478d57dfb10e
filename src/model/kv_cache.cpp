// Implements the key-value cache. Its buffers double when they are full, so that adding a token copies that token and
// not the window.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/model/language_model.h"

namespace longbow {

namespace {

// Puts `fresh` [batch, heads, n, head_dim] after the first `length` entries of `buffer` and returns all length + n
// entries.
at::Tensor put(at::Tensor& buffer, const at::Tensor& fresh, std::int64_t length) {
    const auto end = length + fresh.size(2);
    if (!buffer.defined() || buffer.size(2) < end) {
        auto sizes = fresh.sizes().vec();
        sizes[2] = std::max<std::int64_t>(end, 2 * length);
        auto grown = at::empty(sizes, fresh.options());
        if (length > 0) {
            grown.narrow(2, 0, length).copy_(buffer.narrow(2, 0, length));
        }
        buffer = grown;
    }
    buffer.narrow(2, length, fresh.size(2)).copy_(fresh);
    return buffer.narrow(2, 0, end);
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KvCache::append(std::size_t layer, const at::Tensor& key, const at::Tensor& value) {
    if (at::GradMode::is_enabled()) {
        throw Error("a key-value cache serves generation: use it without gradients");
    }
    if (keys.size() <= layer) {
        keys.resize(layer + 1);
        values.resize(layer + 1);
    }
    return {put(keys[layer], key, length), put(values[layer], value, length)};
}

}  // namespace longbow
