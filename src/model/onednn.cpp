#include "onednn.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdint>

#include "longbow/model/linear.h"
#include "product_type.h"
#include "transpose.h"

namespace longbow {

namespace {

// Below this many rows (decoding) the product is bound by memory, and oneDNN would compile a kernel for each new number
// of rows.
constexpr std::int64_t kFewestRows = 32;

}  // namespace

bool onednn_serves(const at::Tensor& x, const at::Tensor& weight) {
    return gemm_library() == GemmLibrary::onednn && x.device().is_cpu() && product_type(x) == at::kFloat &&
           x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat && x.numel() >= kFewestRows * x.size(-1);
}

at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                         const char* activation) {
    using Signature =
        at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
                   c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<Signature>();
    return op.call(x, weight, bias, activation, c10::List<std::optional<at::Scalar>>(), "");
}

at::Tensor onednn_linear_add(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                             const at::Tensor& addend) {
    using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                 const std::optional<at::Tensor>&, std::string_view);
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "binary").typed<Signature>();
    return op.call(x, addend, weight, bias, "add");
}

at::Tensor weight_in_fast_layout(const at::Tensor& weight, std::int64_t rows) {
    constexpr std::int64_t kManyRows = 512;
    constexpr std::int64_t kVeryManyRows = 4096;
    if (rows >= kVeryManyRows && weight.is_contiguous()) {
        using Signature = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
        static const auto reorder =
            c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_reorder_linear_weight", "").typed<Signature>();
        return reorder.call(weight, c10::SymInt(rows));
    }
    return rows >= kManyRows && weight.size(0) >= weight.size(1) && weight.stride(1) == 1 ? transposed(weight).t()
                                                                                          : weight;
}

// oneDNN needs contiguous rows in the first operand, and ATen would copy slowly where they are not, as in a weight
// gradient (a = dy^T). There the smaller of dy and x is transposed here, and the product is computed from that side.
at::Tensor onednn_gemm(const at::Tensor& a, const at::Tensor& b) {
    if (a.stride(1) == 1 || a.stride(0) != 1 || b.stride(1) != 1) {
        return onednn_linear(a, b.t(), std::nullopt, "none");
    }
    if (a.size(0) <= b.size(1)) {
        return onednn_linear(transposed(a.t()), b.t(), std::nullopt, "none");
    }
    return transposed(onednn_linear(transposed(b), a, std::nullopt, "none"));
}

}  // namespace longbow
