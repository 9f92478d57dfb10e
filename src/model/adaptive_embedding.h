// Implements adaptive input: band i has its own table [words_i, dim_i] and a projection to the model's width. If the
// output is tied, the head shares the tables, and the head's classes (one for each band after the first) are the last
// rows of band 0's matrix, so that the first softmax is one product.
#pragma once

#include <vector>

#include "adaptive_bands.h"
#include "embedding.h"

namespace longbow {

class AdaptiveEmbedding final : public Embedding {
public:
    AdaptiveEmbedding(const ModelConfig& config, std::int64_t vocab_size, const at::TensorOptions& options = {});
    at::Tensor forward(const at::Tensor& tokens) override;
    [[nodiscard]] EmbeddingMemory memory(const PassSizes& pass) const override;
    [[nodiscard]] std::int64_t product_weights() const override { return projections_[0].numel(); }
    void reset_parameters() override;
    void list_tensors(std::vector<NamedTensor>& tensors) const override;

    [[nodiscard]] const AdaptiveBands& bands() const { return bands_; }
    // Returns the table [words_i, dim_i]. Band 0 of a tied model is [words_0 + bands - 1, dim], and its last rows are
    // the head's.
    [[nodiscard]] const at::Tensor& table(std::size_t band) const { return tables_[band]; }
    [[nodiscard]] const at::Tensor& projection(std::size_t band) const { return projections_[band]; }  // [dim, dim_i]

private:
    AdaptiveBands bands_;
    FirstWeights init_;
    std::vector<at::Tensor> tables_, projections_;
};

// Draw initial values, also for a head with words and projections of its own. "fairseq" draws as fairseq does (a table
// from N(0, 1/dim_i) with its second row zero; a projection xavier uniform), "gpt2" from N(0, 0.02).
void init_band_words(const at::Tensor& words, FirstWeights init);
void init_band_matrix(const at::Tensor& matrix, FirstWeights init);

}  // namespace longbow
