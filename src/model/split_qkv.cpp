#include "split_qkv.h"

#include <ATen/ops/cat.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

namespace longbow {

namespace {

constexpr std::int64_t kHeadDim = 2;  // the dimension of the heads

// Whether the gradients are the consecutive parts of one contiguous tensor of these sizes.
bool are_parts_of_one_tensor(const torch::autograd::variable_list& parts, at::IntArrayRef packed) {
    const auto row = packed[2] * packed[3];
    const std::array<std::int64_t, 4> strides = {packed[1] * row, row, packed[3], 1};
    auto offset = parts[0].storage_offset();
    for (const auto& gradient : parts) {
        if (!gradient.is_alias_of(parts[0]) || gradient.strides() != at::IntArrayRef(strides) ||
            gradient.scalar_type() != parts[0].scalar_type() || gradient.storage_offset() != offset) {
            return false;
        }
        offset += gradient.size(2) * gradient.size(3);
    }
    return true;
}

class SplitQkv : public torch::autograd::Function<SplitQkv> {
public:
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& packed,
                                                  std::int64_t kv_heads) {
        context->saved_data["shape"] = packed.sizes().vec();
        return packed.split_with_sizes({packed.size(kHeadDim) - 2 * kv_heads, kv_heads, kv_heads}, kHeadDim);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto shape = context->saved_data["shape"].toIntVector();
        if (are_parts_of_one_tensor(gradients, shape)) {
            const auto row = shape[2] * shape[3];
            return {gradients[0].as_strided(shape, {shape[1] * row, row, shape[3], 1}), at::Tensor()};
        }
        return {at::cat(gradients, kHeadDim), at::Tensor()};
    }
};

}  // namespace

std::array<at::Tensor, 3> split_qkv(const at::Tensor& packed, std::int64_t kv_heads) {
    auto parts = SplitQkv::apply(packed, kv_heads);
    return {parts[0], parts[1], parts[2]};
}

}  // namespace longbow
