#include "rotate_pairs.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <torch/csrc/autograd/custom_function.h>

namespace longbow {

namespace {

using torch::autograd::variable_list;

at::Tensor as_complex(const at::Tensor& x) { return at::view_as_complex(x.unflatten(-1, {-1, 2})); }

// Writes the result in one pass for each half, so that nothing is allocated but the result. `table` holds a complex
// tensor, or cos and sin.
at::Tensor turned(const at::Tensor& x, const variable_list& table, std::int64_t dim) {
    auto out = at::empty_like(x);  // laid out as x, so that heads stay where a projection puts them
    if (table.size() == 1) {
        auto pairs = as_complex(out.narrow(-1, 0, dim));
        at::mul_out(pairs, as_complex(x.narrow(-1, 0, dim)), table[0]);
    } else {
        const auto half = dim / 2;
        const auto first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
        auto first_out = out.narrow(-1, 0, half), second_out = out.narrow(-1, half, half);
        at::mul_out(first_out, first, table[0]).addcmul_(second, table[1], -1);
        at::mul_out(second_out, second, table[0]).addcmul_(first, table[1]);
    }
    const auto rest = x.size(-1) - dim;
    if (rest > 0) out.narrow(-1, dim, rest).copy_(x.narrow(-1, dim, rest));
    return out;
}

// A rotation's gradient is the inverse rotation of the incoming one, so that x need not be kept for it.
class RotatePairs : public torch::autograd::Function<RotatePairs> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, at::TensorList table,
                              std::int64_t dim) {
        const variable_list kept(table.begin(), table.end());
        ctx->save_for_backward(kept);
        ctx->saved_data["dim"] = dim;
        return turned(x, kept, dim);
    }

    static variable_list backward(torch::autograd::AutogradContext* ctx, variable_list gradients) {
        auto table = ctx->get_saved_variables();
        table.back() = table.size() == 1 ? table[0].conj().resolve_conj() : table[1].neg();
        auto gradient = gradients[0];
        if (gradient.stride(-1) != 1) gradient = gradient.contiguous();  // of a sum, which expands one number
        variable_list result(1 + table.size() + 1);
        result[0] = turned(gradient, table, ctx->saved_data["dim"].toInt());
        return result;
    }
};

}  // namespace

RotationTable rotation_table(const at::Tensor& angles, double factor, RotaryPairs pairs, at::ScalarType type) {
    RotationTable table;
    switch (pairs) {
        case RotaryPairs::interleaved:
            table.complex = at::polar(at::full_like(angles, factor), angles).to(at::toComplexType(type));
            break;
        case RotaryPairs::halves:
            table.cos = angles.cos().mul(factor).to(type);
            table.sin = angles.sin().mul(factor).to(type);
            break;
    }
    return table;
}

at::Tensor rotate_pairs(const at::Tensor& x, const RotationTable& table, std::int64_t dim) {
    // One complex product, whose gradient ATen knows.
    if (table.complex.defined() && dim == x.size(-1))
        return at::view_as_real(as_complex(x).mul(table.complex)).flatten(-2);
    const variable_list parts =
        table.complex.defined() ? variable_list{table.complex} : variable_list{table.cos, table.sin};
    return RotatePairs::apply(x, at::TensorList(parts), dim);
}

}  // namespace longbow
