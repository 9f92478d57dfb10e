// Implements adaptive softmax (Grave et al. 2017, in the form of Baevski and Auli 2019). The first softmax is over band
// 0's words and a class for each further band. A word of band i has the probability of its class times its probability
// within the band, which is a softmax over the band's words of the hidden state projected to the band's width.
#pragma once

#include <string>
#include <vector>

#include "adaptive_embedding.h"
#include "longbow/config/config.h"
#include "longbow/model/output_head.h"

namespace longbow {

class AdaptiveHead final : public OutputHead {
public:
    // The configuration decides whether words and classes are shared with the embedding (model.tie_output) and whether
    // the projections are (tie_projections).
    AdaptiveHead(const Config& config, const AdaptiveEmbedding& embedding, const at::TensorOptions& options = {});
    at::Tensor nll(const at::Tensor& hidden, const at::Tensor& targets) override;
    at::Tensor loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) override;
    // Returns the [n, vocab] log-probabilities.
    at::Tensor logits(const at::Tensor& hidden) override;
    [[nodiscard]] HeadMemory memory(const PassSizes& pass) const override;
    [[nodiscard]] std::int64_t product_weights() const override { return words_[0].numel(); }
    void reset_parameters() override;
    void list_tensors(std::vector<NamedTensor>& tensors) const override;

private:
    struct BandTargets {
        at::Tensor places, within;  // [n_i]: where the band's targets are in the list, and their numbers in the band
    };
    // Both return tensors on the weights' device.
    [[nodiscard]] at::Tensor first_targets(const BandSplit& split) const;
    [[nodiscard]] BandTargets band_targets(const BandSplit& split, std::size_t band, bool skip_second) const;
    [[nodiscard]] double expected_share(std::size_t band) const;
    // Returns the number of tokens whose logits over band i are held at once.
    [[nodiscard]] std::int64_t chunk(std::size_t band) const;

    AdaptiveBands bands_;
    bool tied_words_, tied_projections_;
    FirstWeights init_;
    double dropout_, tail_dropout_;
    bool skip_second_words_;
    std::int64_t chunk_;
    // [words_0 + bands - 1, dim], whose last rows are the classes; then [words_i, dim_i].
    std::vector<at::Tensor> words_;
    std::vector<at::Tensor> projections_;  // the first is undefined; then [dim, dim_i]
};

}  // namespace longbow
