// Implements stick-breaking attention (Tan et al., ICLR 2025, equations 3-4) in place of the softmax: from the nearest
// key on, each key before the query takes the share sigmoid(s_ij) of what nearer keys have left. Weights need not sum
// to one, and the first query, which has no key before it, has an output of zero.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/log_sigmoid.h>

#include "longbow/position/attend_memory.h"
#include "longbow/position/position_method.h"
#include "scored.h"

namespace longbow {

namespace {

class StickBreakingPosition final : public PositionMethod, public CountsAttendMemory {
public:
    [[nodiscard]] bool attends(std::int64_t /*layer*/) const override { return true; }

    at::Tensor attend(const ScoredAttention& in, const PositionCall& /*call*/) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto scores = scaled_products(in);
        const auto distances = key_distances(in);
        const auto not_before = distances.le(0);
        // Products of many shares vanish, so that logarithms are summed.
        const auto left = at::log_sigmoid(scores.neg()).masked_fill(not_before, 0);
        const auto left_by_nearer = left.flip(-1).cumsum(-1).flip(-1).sub(left);
        const auto weights = at::log_sigmoid(scores).add(left_by_nearer).exp();
        return weighted_values(in, weights.masked_fill(not_before.logical_or(hidden_keys(in, distances)), 0));
    }

    // Autograd keeps the scores, with their signs changed too, both with what PyTorch computes log_sigmoid from on a
    // CPU, and the shares before the mask.
    [[nodiscard]] AttendMemory attend_memory(const AttendPass& pass) const override {
        const double matrix = pass.matrix();
        AttendMemory memory;
        memory.kept = 4 * matrix;
        memory.backward = 2 * matrix;
        memory.evaluation = 3 * matrix;
        return memory;
    }
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "stick_breaking",
    .help = "no softmax: keys share what nearer ones leave (stick-breaking attention, Tan et al., 2025)",
    .make = [](const PositionContext&) { return std::make_shared<StickBreakingPosition>(); },
    .title = "Stick-breaking",
    .modifiers = {},
});

}  // namespace longbow
