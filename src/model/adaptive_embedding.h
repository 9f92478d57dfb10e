// Adaptive input: band i has its own table [words_i, dim_i] and a projection to the model's width. When the output is
// tied, the head shares the tables, and its classes (one for each band after the first) are the last rows of band 0's
// matrix, so that the first softmax is one product.
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
    // [words_i, dim_i]; band 0 of a tied model: [words_0 + bands - 1, dim], of which the last rows are the head's.
    [[nodiscard]] const at::Tensor& table(std::size_t band) const { return tables_[band]; }
    [[nodiscard]] const at::Tensor& projection(std::size_t band) const { return projections_[band]; }  // [dim, dim_i]

private:
    AdaptiveBands bands_;
    FirstWeights init_;
    std::vector<at::Tensor> tables_, projections_;
};

// Initial values, shared with a head that has words and projections of its own: as fairseq's (a table N(0, 1/dim_i),
// its second row zero; a matrix between widths xavier uniform), or "gpt2": N(0, 0.02). Without gradient.
void init_band_words(const at::Tensor& words, FirstWeights init);
void init_band_matrix(const at::Tensor& matrix, FirstWeights init);

}  // namespace longbow
