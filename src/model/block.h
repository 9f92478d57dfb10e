// Defines a decoder layer: attention, the feed-forward layer and their norms in the order that model.block says. The
// paper's, pre_norm, is x += attention(norm1(x)); x += ffn(norm2(x)).
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <vector>

#include "feed_forward.h"
#include "longbow/config/config.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"
#include "norm.h"
#include "self_attention.h"

namespace longbow {

class Block : public torch::nn::Module {
public:
    Block(const ModelConfig& config, std::int64_t layer, const at::TensorOptions& options = {});
    // Maps x [batch, length, dim] to the same shape.
    at::Tensor forward(const at::Tensor& x, const BlockPass& pass);
    [[nodiscard]] LayerMemory memory(const PassSizes& pass) const;
    // Returns the number of weights that multiply each token.
    [[nodiscard]] std::int64_t product_weights() const {
        return attention_.product_weights() + feed_forward_.product_weights();
    }
    void reset_parameters();
    void list_tensors(std::vector<NamedTensor>& tensors) const;

private:
    // Returns residual + dropout(norm(y)).
    at::Tensor add_normed(const at::Tensor& residual, Norm& norm, const at::Tensor& y) const;

    BlockKind kind_;
    double dropout_;
    std::int64_t layer_, dim_;
    std::shared_ptr<Norm> norm1_, norm2_;  // the second is null in a block with one norm
    SelfAttention attention_;
    FeedForward feed_forward_;
};

}  // namespace longbow
