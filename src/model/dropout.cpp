#include "dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <ATen/Parallel.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "longbow/attention/dropout_seed.h"
#include "longbow/core/random.h"

namespace longbow {

namespace {

// Computes out = base + x * mask / (1 - p), where base may be null. The elements 2i and 2i + 1 take the halves of one
// 64-bit hash.
template <class X, class Out>
void apply_mask(Out* out, const Out* base, const X* x, std::int64_t count, double p, std::uint64_t seed) {
    using Wide = at::opmath_type<Out>;  // fp32 for half precision
    const auto threshold = static_cast<std::uint64_t>(p * 4294967296.0);
    const auto scale = static_cast<Wide>(1.0 / (1.0 - p));
    constexpr std::int64_t kGrain = 16384;
    at::parallel_for(0, (count + 1) / 2, kGrain, [&](std::int64_t begin, std::int64_t end) {
        const auto put = [&](std::int64_t i, std::uint32_t bits) {
            const Wide kept = bits >= threshold ? static_cast<Wide>(x[i]) * scale : Wide(0);
            out[i] = static_cast<Out>(base == nullptr ? kept : static_cast<Wide>(base[i]) + kept);
        };
        for (std::int64_t pair = begin; pair < end; ++pair) {
            const auto bits = mix64(seed + static_cast<std::uint64_t>(pair));
            put(2 * pair, static_cast<std::uint32_t>(bits));
            if (2 * pair + 1 < count) {
                put(2 * pair + 1, static_cast<std::uint32_t>(bits >> 32));
            }
        }
    });
}

// Without a base, returns the masked x in x's type; else base + masked x in base's type.
at::Tensor masked(const at::Tensor& base, const at::Tensor& x, double p, std::uint64_t seed) {
    const auto input = x.contiguous();
    const auto addend = base.defined() ? base.contiguous() : at::Tensor();
    auto out = at::empty_like(base.defined() ? addend : input);
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, input.scalar_type(), "dropout", [&] {
        using X = scalar_t;
        const X* in = input.const_data_ptr<X>();
        AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, out.scalar_type(), "dropout", [&] {
            apply_mask<X, scalar_t>(out.mutable_data_ptr<scalar_t>(),
                                    addend.defined() ? addend.const_data_ptr<scalar_t>() : nullptr, in, input.numel(),
                                    p, seed);
        });
    });
    return out;
}

class AddDropout : public torch::autograd::Function<AddDropout> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const std::optional<at::Tensor>& residual,
                              const at::Tensor& x, double p) {
        const auto seed = draw_dropout_seed();
        context->saved_data["seed"] = seed;
        context->saved_data["p"] = p;
        context->saved_data["residual"] = residual.has_value();
        context->saved_data["type"] = x.scalar_type();
        return masked(residual.value_or(at::Tensor()), x, p, static_cast<std::uint64_t>(seed));
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto type = context->saved_data["type"].toScalarType();
        const auto seed = static_cast<std::uint64_t>(context->saved_data["seed"].toInt());
        const auto dresidual = context->saved_data["residual"].toBool() ? gradients[0] : at::Tensor();
        return {dresidual, masked({}, gradients[0].to(type), context->saved_data["p"].toDouble(), seed), at::Tensor()};
    }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x, double p) {
    if (p == 0.0) {
        return x;
    }
    return x.device().is_cpu() ? AddDropout::apply(std::nullopt, x, p) : at::dropout(x, p, true);
}

at::Tensor add_dropout(const at::Tensor& residual, const at::Tensor& x, double p) {
    if (p == 0.0) {
        return residual.add(x);
    }
    return x.device().is_cpu() ? AddDropout::apply(std::optional(residual), x, p)
                               : residual.add(at::dropout(x, p, true));
}

}  // namespace longbow
