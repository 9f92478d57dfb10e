#include "embedding.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include "first_weights.h"
#include "longbow/model/send.h"

namespace longbow {

TokenEmbedding::TokenEmbedding(const ModelConfig& config, std::int64_t vocab_size, const at::TensorOptions& options)
    : init_(config.init) {
    weight_ = register_parameter("weight", at::empty({vocab_size, config.token_dim()}, options));
}

at::Tensor TokenEmbedding::forward(const at::Tensor& tokens) {
    return at::embedding(weight_, sent(tokens, weight_.device()));
}

// The tokens' gradient exists twice: after and before the embedding's scaling.
EmbeddingMemory TokenEmbedding::memory(const PassSizes& pass) const {
    return {static_cast<double>(weight_.numel()) * pass.wide,
            2 * pass.tokens * static_cast<double>(weight_.size(1)) * pass.wide};
}

void TokenEmbedding::reset_parameters() {
    const at::NoGradGuard no_grad;
    weight_.normal_(0.0, word_deviation(init_, weight_.size(1)));
}

void TokenEmbedding::list_tensors(std::vector<NamedTensor>& tensors) const {
    tensors.push_back({"embed.tokens.weight", weight_});
}

}  // namespace longbow
