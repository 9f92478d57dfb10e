#include "split_qkv.h"

#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

namespace longbow {

namespace {

constexpr std::int64_t kPartDim = 2;

// Whether the gradients are the consecutive parts of one contiguous packed tensor.
bool are_parts_of_one_tensor(const torch::autograd::variable_list& parts, at::IntArrayRef packed) {
    const auto part = packed[3] * packed[4];
    const std::array<std::int64_t, 4> strides = {packed[1] * 3 * part, 3 * part, packed[4], 1};
    for (std::int64_t i = 0; i < 3; ++i) {
        const auto& gradient = parts[static_cast<std::size_t>(i)];
        if (!gradient.is_alias_of(parts[0]) || gradient.strides() != at::IntArrayRef(strides) ||
            gradient.scalar_type() != parts[0].scalar_type() ||
            gradient.storage_offset() != parts[0].storage_offset() + i * part) {
            return false;
        }
    }
    return true;
}

class SplitQkv : public torch::autograd::Function<SplitQkv> {
public:
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& packed) {
        context->saved_data["shape"] = packed.sizes().vec();
        return packed.unbind(kPartDim);
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto shape = context->saved_data["shape"].toIntVector();
        if (are_parts_of_one_tensor(gradients, shape)) {
            const auto row = 3 * shape[3] * shape[4];
            return {gradients[0].as_strided(shape, {shape[1] * row, row, shape[3] * shape[4], shape[4], 1})};
        }
        return {at::stack(gradients, kPartDim)};
    }
};

}  // namespace

std::array<at::Tensor, 3> split_qkv(const at::Tensor& packed) {
    auto parts = SplitQkv::apply(packed);
    return {parts[0], parts[1], parts[2]};
}

}  // namespace longbow
