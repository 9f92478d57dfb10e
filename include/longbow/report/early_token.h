// Analyses the early-token curse (appendix B of "Train Short, Test Long"): when a text is cut into windows, the first
// predictions of each window have hardly any context, and longer windows have fewer of them. This analysis splits the
// gain of longer windows into the part that comes from having fewer early tokens and the part that comes from the
// longer context.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/eval/eval_result.h"

namespace longbow {

// Holds nats a token with a 95 % interval (core/interval.h). The interval's blocks of text are the same at every
// length.
struct Nats {
    double value = 0;
    std::optional<Interval> interval;
};

// Holds the losses at one evaluation length. Both evaluations score the same targets: `disjoint` in windows without
// overlap, `sliding` in overlapping ones, in which every target after the first window has at least length - stride
// tokens of context.
struct EarlyTokenLength {
    EvalResult disjoint, sliding;
    Nats early_cost;  // nll of `disjoint` minus nll of `sliding`: the cost of the early tokens at this length
};

// Says what changes from the shortest length to a longer one, in nats a token: gain = early + context. `gain` is the
// gain of the windows without overlap, `context` that of the sliding ones, and `early` the difference, which comes from
// having fewer early tokens.
struct EarlyTokenGain {
    std::int64_t from = 0, to = 0;
    Nats gain, early, context;
    double share = 0;  // early / gain; NaN where there is no gain
};

struct EarlyTokenAnalysis {
    std::string name, position, split;
    std::int64_t train_length = 0, stride = 0;
    std::vector<EarlyTokenLength> lengths;
    std::vector<EarlyTokenGain> gains;
};

// `disjoint` and `sliding` are the per-token nll at each length, over the same targets. The caller has filled in the
// summaries of `rows`. Throws DataError if lengths scored different numbers of targets.
EarlyTokenAnalysis analyse_early_tokens(std::vector<EarlyTokenLength> rows,
                                        const std::vector<std::vector<double>>& disjoint,
                                        const std::vector<std::vector<double>>& sliding);

// Returns the analysis as a table for the terminal.
std::string early_token_text(const EarlyTokenAnalysis& analysis);
Json early_token_json(const EarlyTokenAnalysis& analysis);
// Returns a page of two figures: loss by place in the window, and perplexity against length, without overlap and
// sliding.
std::string early_token_svg(const EarlyTokenAnalysis& analysis);

}  // namespace longbow
