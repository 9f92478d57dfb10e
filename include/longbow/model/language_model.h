// Defines the decoder-only transformer language model: token embedding, pre-LN blocks, output head, and one position
// method.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "longbow/attention/attention_backend.h"
#include "longbow/config/config.h"
#include "longbow/model/memory.h"
#include "longbow/model/named_tensor.h"
#include "longbow/model/output_head.h"
#include "longbow/position/position_method.h"

namespace longbow {

class Block;
class Embedding;
class Norm;

// Holds keys and values of the tokens seen so far, one pair for each layer: [batch, heads, capacity, head_dim], of
// which the first `length` entries are filled. It is for generation and throws Error while gradients are enabled.
struct KvCache {
    std::vector<at::Tensor> keys, values;
    std::int64_t length = 0;  // tokens of complete forward passes; the model advances it

    // Appends key, value [batch, heads, n, head_dim] of the new tokens. Returns those of all tokens, [batch, heads,
    // length + n, head_dim].
    std::pair<at::Tensor, at::Tensor> append(std::size_t layer, const at::Tensor& key, const at::Tensor& value);
};

class LanguageModel : public torch::nn::Module {
public:
    // vocab_size is the tokenizer's. Weights are fp64 if config.train.dtype is, else fp32 (bf16 and fp16 run by
    // autocast over fp32 weights). For a device of kMeta see make_meta_model().
    LanguageModel(const Config& config, std::int64_t vocab_size, at::Device device = at::kCPU);
    ~LanguageModel() override;

    // Computes the hidden states [batch, length, dim], after the final norm, of tokens [batch, length] int64 on the
    // CPU. With a cache, the tokens follow those in it.
    at::Tensor hidden(const at::Tensor& tokens, KvCache* cache = nullptr);
    // Does the same from embedded (scaled) tokens [batch, length, dim] on: positions, blocks, final norm.
    at::Tensor run_blocks(const at::Tensor& embedded, KvCache* cache = nullptr);
    OutputHead& head() { return *head_; }
    PositionMethod& position() { return *position_; }
    // Returns the attention back-end for the weights' present device and type.
    AttentionBackend& attention();

    // Returns every weight once (also tied ones), in a fixed order, under its name in the checkpoint format. Each is a
    // parameter or some of its rows (q, k and v are one matrix in memory and three tensors on disk), and shares the
    // parameter's memory.
    std::vector<NamedTensor> stored_tensors() const;

    // Draws all weights anew from the default generator; seed it first.
    void reset_parameters();
    [[nodiscard]] std::int64_t parameter_count() const;
    // Returns the memory that a pass on any device takes. The model may be one without values (make_meta_model()).
    [[nodiscard]] ModelMemory memory(const PassRequest& request) const;
    // Return the number of weights that multiply each token: those of all layers; those of the output head and of the
    // embedding's projection, if it has one.
    [[nodiscard]] std::int64_t layer_product_weights() const;
    [[nodiscard]] std::int64_t head_product_weights() const;
    [[nodiscard]] std::int64_t vocab_size() const { return vocab_size_; }
    [[nodiscard]] const Config& config() const { return config_; }
    // Returns whether weight decay acts on this parameter, or on the one that this is a view of. It leaves out norms,
    // biases, and the position method's parameters.
    [[nodiscard]] bool decays(const at::Tensor& tensor) const;

private:
    const at::Tensor& positions_of(std::int64_t begin, std::int64_t end, at::Device device);

    Config config_;
    std::int64_t vocab_size_;
    std::unique_ptr<AttentionBackend> backend_;
    at::TensorOptions backend_for_;  // device and type of the weights for which it was chosen
    std::shared_ptr<PositionMethod> position_;
    std::shared_ptr<OutputHead> head_;
    std::vector<std::shared_ptr<Block>> blocks_;
    std::shared_ptr<Embedding> embedding_;
    std::shared_ptr<Norm> final_norm_;  // null: no final norm
    at::Tensor positions_;              // of the last window
    std::int64_t positions_begin_ = 0;
};

// Returns what a model of this configuration needs of its position method, and of attention on a device ("cpu",
// "cuda:0") with weights of `dtype`.
PositionContext position_context(const Config& config);
AttentionRequest attention_request(const Config& config, PositionMethod& position, DType dtype,
                                   const std::string& device);

std::shared_ptr<LanguageModel> make_language_model(const Config& config, std::int64_t vocab_size);
// Makes a model of shapes without values, on the Meta device, from which parameters and memory are computed whatever
// the model's size. What the position method makes by itself is on the CPU. The default generator's state does not
// change.
std::shared_ptr<LanguageModel> make_meta_model(const Config& config, std::int64_t vocab_size);

}  // namespace longbow
