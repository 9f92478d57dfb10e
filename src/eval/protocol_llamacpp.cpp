// Implements protocol llamacpp: the chunks of llama.cpp's llama-perplexity, for models with a BOS.
#include <fmt/core.h>

#include "longbow/core/error.h"
#include "longbow/eval/protocol.h"

namespace longbow {

namespace {

// Plans whole chunks of `length` tokens, counting the boundary that starts the stream; each chunk's first token is
// replaced by the boundary. Only the predictions in a chunk's second half are scored. The remainder after the last
// whole chunk is left out.
void plan_llamacpp(const EvalStretch& text, std::vector<EvalWindow>& windows) {
    const auto length = text.length;
    const auto chunks = (text.last + 1) / length;
    if (chunks < 2) {
        throw UsageError(fmt::format(
            "protocol llamacpp needs at least {} tokens for length {}, and the stream has {}: take a shorter length",
            2 * length - 1, length, text.last));
    }
    for (std::int64_t begin = 0; begin < chunks * length; begin += length) {
        windows.push_back({begin, begin + length - 1, begin + length / 2, true});
    }
}

LONGBOW_REGISTER_PROTOCOL({
    .name = "llamacpp",
    .help = "the second half of each complete chunk, after a boundary of its own (llama.cpp's llama-perplexity)",
    .shortest_length = 3,
    .strided = false,
    .within_documents = false,
    .passes_last_token = true,
    .scores_all = false,
    .plan = plan_llamacpp,
});

}  // namespace

}  // namespace longbow
