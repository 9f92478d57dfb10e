// Measures the shape of a model's attention by layer and head: how evenly it is spread, and on which keys.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/model/language_model.h"
#include "longbow/probe/probe_row.h"

namespace longbow {

// The first keys of a window, on which many models put what they have no use for.
inline constexpr std::int64_t kSinkKeys = 4;
inline constexpr std::int64_t kNearKeys = 64;
inline constexpr int kAttentionGenerator = 1;  // version of what draws the windows

// Means over the queries of one window, of one head. A share is of a query's attention; a query counts only where it
// sees more keys than those that the share is about. NaN: no query does.
struct AttentionShape {
    double entropy = 0;         // of a query's attention, over ln n of its n keys; queries within the trained length
    double entropy_beyond = 0;  // of queries beyond it
    double sinks = 0;           // share of the first kSinkKeys keys
    double near = 0;            // share of the last kNearKeys keys, the query's own included
    double far = 0;             // share of keys at distances of the trained length or more
};
// Returns the shapes of the heads from the probabilities [heads, length, length] of one window.
std::vector<AttentionShape> shapes_of(const at::Tensor& probabilities, std::int64_t train_length);

// Returns the probabilities [heads, length, length] of each layer over a window of tokens, computed by the back-end
// `reference` whatever the model runs with; its own back-end serves again afterwards. Throws UsageError for a position
// method that computes attention itself.
std::vector<at::Tensor> attention_of(LanguageModel& model, const std::vector<std::int64_t>& tokens);

// Returns a row for each layer and head, of windows of `length` tokens (0: twice the trained length, or as long as the
// position method serves) that begin anywhere in the stream.
std::vector<Json> probe_attention(MeasuredRun& run, LanguageModel& model, const TokenStream& stream,
                                  std::int64_t length, const ProbeOptions& options);
// Returns the length of the windows. Throws UsageError if the trained length is unknown, the position method does not
// serve the windows, or the text has none.
std::int64_t attention_length(const MeasuredRun& run, const TokenStream& stream, std::int64_t length);

std::string attention_table(const std::vector<Json>& rows, int width);

}  // namespace longbow
