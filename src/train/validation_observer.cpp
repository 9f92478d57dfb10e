// Runs the trainer's validations.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/strings.h"
#include "longbow/eval/evaluator.h"
#include "longbow/telemetry/log.h"
#include "observers.h"
#include "session.h"

namespace longbow {

Validation::Validation(const Session& session)
    : every_(session.config.eval.every, session.units, session.state.train_seconds) {}

bool Validation::due(const Session& session, bool last) {
    if (session.valid == nullptr || session.state.validated_update == session.state.updates ||
        session.state.updates == 0)
        return false;
    return every_.due(session.state.updates, session.state.train_seconds) || last;
}

bool Validation::run(Session& session, Metrics& metrics) {
    metrics.pause();
    auto& state = session.state;
    const auto& config = session.config;
    double decisive = 0;
    std::vector<std::string> shown;
    const auto share = evaluation_share(*session.ranks);
    for (const auto length : validation_lengths(config)) {
        EvalRequest request;
        request.length = length;
        request.max_batch_tokens = config.eval.max_batch_tokens;
        request.max_stream_tokens = config.eval.valid_tokens;
        request.dtype = config.train.dtype;
        const RateMeter meter;
        session.ranks->stage(fmt::format("update {}: validation at {}", state.updates, length));
        EvalOptions options;
        options.label = "validation at " + std::to_string(length);
        options.share = share;
        const auto nll = evaluate_tokens(*session.model, *session.valid, plans_.of(*session.valid, request), options);
        const double mean = mean_nll(nll);
        if (shown.empty()) decisive = mean;
        const auto ppl = std::isfinite(std::exp(mean)) ? fmt::format("{:.2f}", std::exp(mean)) : "diverged";
        shown.push_back(ppl + " at " + std::to_string(length));
        metrics.append(
            {{"event", "valid"},
             {"update", state.updates},
             {"length", length},
             {"nll", std::isfinite(mean) ? Json(mean) : Json(nullptr)},
             {"ppl", std::isfinite(mean) ? Json(std::exp(mean)) : Json(nullptr)},
             {"valid_tokens", nll.size()},
             {"timing",
              {{"seconds", meter.elapsed()}, {"tokens_per_second", meter.rate(static_cast<double>(nll.size()))}}}});
    }
    const bool best = std::isfinite(decisive) && (state.best_update < 0 || decisive < state.best_nll);
    if (best) {
        state.best_nll = decisive;
        state.best_update = state.updates;
    }
    state.validated_update = state.updates;
    if (!session.ranks->leader()) return best;
    log::info(
        fmt::format("update {}: validation perplexity {}{}", state.updates, join(shown, ", "), best ? " (best)" : ""));
    return best;
}

}  // namespace longbow
