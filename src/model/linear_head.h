// Defines the plain output head: logits = hidden W^T, where W is the token embedding (tied) or a matrix of its own,
// with a bias if model.head_bias says so. If the embedding is narrower than the model, hidden is projected to its
// width.
#pragma once

#include <memory>

#include "longbow/config/config.h"
#include "longbow/model/named_tensor.h"
#include "longbow/model/output_head.h"
#include "projection.h"

namespace longbow {

class LinearHead : public OutputHead {
public:
    // `tied` is the embedding [vocab, embedding_dim], which is registered elsewhere; if it is undefined, the head has
    // its own weight.
    LinearHead(const Config& config, std::int64_t vocab_size, const at::Tensor& tied,
               const at::TensorOptions& options = {});
    at::Tensor nll(const at::Tensor& hidden, const at::Tensor& targets) override;
    at::Tensor loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) override;
    at::Tensor logits(const at::Tensor& hidden) override;
    [[nodiscard]] HeadMemory memory(const PassSizes& pass) const override;
    [[nodiscard]] std::int64_t product_weights() const override {
        return weight_.numel() + (project_out_ == nullptr ? 0 : project_out_->product_weights());
    }
    void reset_parameters() override;
    void list_tensors(std::vector<NamedTensor>& tensors) const override;

private:
    at::Tensor projected(const at::Tensor& hidden);  // [n, dim] -> [n, embedding_dim]

    at::Tensor weight_, bias_;                 // [vocab, embedding_dim]; [vocab] or undefined
    std::shared_ptr<Projection> project_out_;  // null: the embedding is as wide as the model
    bool tied_;
    FirstWeights init_;
    double dropout_;
    std::int64_t chunk_;  // tokens whose logits are held at once
};

}  // namespace longbow
