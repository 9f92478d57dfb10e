// The early-token curse (appendix B of "Train Short, Test Long"): cut into windows, the first predictions of each see hardly any context, and
// longer windows have fewer of them. How much of what longer inputs gain is that, and how much is the longer context itself?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/eval/eval_result.h"

namespace longbow {

// Nats a token with a 95 % interval (core/interval.h, the same blocks at every length).
struct Nats {
    double value = 0;
    std::optional<Interval> interval;
};

// One length, measured on the same targets in windows without overlap and in sliding ones, whose every prediction (after the first
// window) has at least length - stride tokens of context.
struct EarlyTokenLength {
    EvalResult apart, sliding;
    Nats early_cost;  // nll apart - sliding: what the windows' early tokens cost at this length
};

// From the shortest length to a longer one: gain = early + context, in nats a token. Gain: what the windows without overlap win;
// context: what the sliding ones win; early: the rest, since fewer tokens are early.
struct EarlyTokenGain {
    std::int64_t from = 0, to = 0;
    Nats gain, early, context;
    double share = 0;  // early / gain; not a number where there is no gain
};

struct EarlyTokenAnalysis {
    std::string name, position, split;
    std::int64_t train_length = 0, stride = 0;
    std::vector<EarlyTokenLength> lengths;
    std::vector<EarlyTokenGain> gains;
};

// `apart` and `sliding`: per-token nll at each length, over the same targets; `rows` their summaries, filled in by the caller.
EarlyTokenAnalysis analyse_early_tokens(std::vector<EarlyTokenLength> rows, const std::vector<std::vector<float>>& apart,
                                        const std::vector<std::vector<float>>& sliding);

std::string early_token_text(const EarlyTokenAnalysis& analysis);
Json early_token_json(const EarlyTokenAnalysis& analysis);
// Loss by place in the window, and perplexity against length, apart and sliding.
std::string early_token_svg(const EarlyTokenAnalysis& analysis);

}  // namespace longbow
