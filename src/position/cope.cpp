// Implements CoPE (Golovneva et al., 2024, equations 3-6): a key's position is counted from the query by gates that
// both set, p_ij = the sum of sigmoid(q_i k_t / sqrt(D)) over t = j .. i, and scores get q_i e[p_ij], between whole p
// by a straight line, before they are scaled.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sigmoid.h>

#include "longbow/position/attend_memory.h"
#include "longbow/position/position_method.h"
#include "scored.h"

namespace longbow {

namespace {

class CopePosition final : public PositionMethod, public CountsAttendMemory {
public:
    explicit CopePosition(const PositionContext& context) : places_(option_int(context.options, "places")) {
        table_ = register_parameter("table", at::empty({context.layers, context.head_dim(), places_}));
        reset_parameters();
    }

    [[nodiscard]] bool attends(std::int64_t /*layer*/) const override { return true; }

    at::Tensor attend(const ScoredAttention& in, const PositionCall& call) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto products = scaled_products(in);
        const auto distances = key_distances(in);
        // Keys after the query open no gate, so that the sum from the last key down begins at the query's own.
        const auto gates = products.sigmoid().masked_fill(distances.lt(0), 0);
        const auto places = gates.flip(-1).cumsum(-1).flip(-1).clamp_max(static_cast<double>(places_ - 1));
        const auto below = places.detach().floor(), above = places.detach().ceil();
        const auto queries = in.q.to(products.scalar_type()).mul(in.scale);
        const auto terms = at::matmul(queries, table_.select(0, call.layer).to(products.scalar_type()));
        const auto low = terms.gather(-1, below.to(at::kLong)), high = terms.gather(-1, above.to(at::kLong));
        const auto scores = products.add(low).add(high.sub(low).mul(places.sub(below)));
        return softmax_values(in, scores, hidden_keys(in, distances));
    }

    // Autograd keeps the gates, their sums, both factors of the step between two embeddings, and the indices of these,
    // which are int64, beside the terms that are looked up. What the forward pass holds until its end is the most.
    [[nodiscard]] AttendMemory attend_memory(const AttendPass& pass) const override {
        constexpr double kIndexBytes = 8;
        const double matrix = pass.matrix(), indices = matrix * kIndexBytes / pass.wide;
        const double terms = matrix * static_cast<double>(places_) / static_cast<double>(pass.length);
        AttendMemory memory;
        memory.kept = 4 * matrix + 2 * indices + terms;
        memory.backward = 7 * matrix;
        memory.evaluation = 8 * matrix + terms;
        return memory;
    }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        table_.zero_();
    }

private:
    std::int64_t places_;
    at::Tensor table_;  // [layers, head_dim, places], for all heads of a layer
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "cope",
    .help = "positions that count keys by gates of query and key (CoPE, Golovneva et al., 2024)",
    .options = {{.key = "places",
                 .default_value = std::int64_t{64},
                 .help = "embeddings of counts, from 0 on; the last one serves all larger counts",
                 .minimum = 1,
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<CopePosition>(context); },
    .title = "CoPE",
    .modifiers = {},
});

}  // namespace longbow
