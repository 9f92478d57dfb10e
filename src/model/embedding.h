// Maps token ids to vectors: one table for all words or, with adaptive embeddings (adaptive_embedding.h), a table and a
// projection for each band of words.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"

namespace longbow {

class Embedding : public torch::nn::Module {
public:
    // Maps tokens [batch, length] int64 on the CPU to [batch, length, embedding_dim] on the weights' device, not
    // scaled.
    virtual at::Tensor forward(const at::Tensor& tokens) = 0;
    // Returns the memory of the backward pass from the embedded tokens to the tables.
    [[nodiscard]] virtual EmbeddingMemory memory(const PassSizes& pass) const = 0;
    // Returns the number of weights that multiply each token, as far as they multiply most tokens.
    [[nodiscard]] virtual std::int64_t product_weights() const = 0;
    // Draws the initial values from the default generator.
    virtual void reset_parameters() = 0;
    virtual void list_tensors(std::vector<NamedTensor>& tensors) const = 0;
};

class TokenEmbedding final : public Embedding {
public:
    TokenEmbedding(const ModelConfig& config, std::int64_t vocab_size, const at::TensorOptions& options = {});
    at::Tensor forward(const at::Tensor& tokens) override;
    [[nodiscard]] EmbeddingMemory memory(const PassSizes& pass) const override;
    [[nodiscard]] std::int64_t product_weights() const override { return 0; }
    void reset_parameters() override;
    void list_tensors(std::vector<NamedTensor>& tensors) const override;
    [[nodiscard]] const at::Tensor& weight() const { return weight_; }

private:
    FirstWeights init_;
    at::Tensor weight_;  // [vocab, embedding_dim]
};

}  // namespace longbow
