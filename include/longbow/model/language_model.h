// The decoder-only transformer language model: token embedding, pre-LN blocks, output head, one position method.
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

// Keys and values of the tokens seen so far, a pair a layer: [batch, heads, capacity, head_dim], of which the first
// `length` are filled. For generation: refuses to work under gradients.
struct KvCache {
    std::vector<at::Tensor> keys, values;
    std::int64_t length = 0;  // whole forward passes; advanced by the model

    // key, value [batch, heads, n, head_dim] of the new tokens -> those of all tokens [batch, heads, length + n,
    // head_dim].
    std::pair<at::Tensor, at::Tensor> append(std::size_t layer, const at::Tensor& key, const at::Tensor& value);
};

class LanguageModel : public torch::nn::Module {
public:
    // vocab_size of the tokenizer; dtype fp32 or fp64 for the weights (bf16, fp16 run by autocast over fp32 weights).
    // device kMeta: see make_meta_model().
    LanguageModel(const Config& config, std::int64_t vocab_size, at::Device device = at::kCPU);
    ~LanguageModel() override;

    // tokens [batch, length] int64 -> hidden [batch, length, dim], after the final norm. With a cache, tokens continue
    // it.
    at::Tensor hidden(const at::Tensor& tokens, KvCache* cache = nullptr);
    // The same from embedded (scaled) tokens [batch, length, dim] on: positions, blocks, final norm.
    at::Tensor run_blocks(const at::Tensor& embedded, KvCache* cache = nullptr);
    OutputHead& head() { return *head_; }
    PositionMethod& position() { return *position_; }
    // The back-end for the weights' present device and type.
    AttentionBackend& attention();

    // Every weight once (tied ones once), in a fixed order, under the names of the checkpoint format. Each is a
    // parameter, or rows of one (q, k and v are one matrix in memory and three tensors on disk), and shares its memory.
    std::vector<NamedTensor> stored_tensors() const;

    // Draws all weights anew from the default generator (seed it first).
    void reset_parameters();
    [[nodiscard]] std::int64_t parameter_count() const;
    // What a pass on any device takes. The model may be one of shapes alone.
    [[nodiscard]] ModelMemory memory(const PassRequest& request) const;
    // Numbers of the weights that multiply each token: of all layers; of the output head with the embedding's
    // projection, if it has one.
    [[nodiscard]] std::int64_t layer_product_weights() const;
    [[nodiscard]] std::int64_t head_product_weights() const;
    [[nodiscard]] std::int64_t vocab_size() const { return vocab_size_; }
    [[nodiscard]] const Config& config() const { return config_; }
    // Does weight decay act on this parameter, or on the one that this is a view of? It leaves norms, biases and the
    // position method's alone.
    [[nodiscard]] bool decays(const at::Tensor& tensor) const;

private:
    const at::Tensor& positions_of(std::int64_t begin, std::int64_t end, at::Device device);

    Config config_;
    std::int64_t vocab_size_;
    std::unique_ptr<AttentionBackend> backend_;
    at::TensorOptions backend_for_;  // device and type of the weights that it was chosen for
    std::shared_ptr<PositionMethod> position_;
    std::shared_ptr<OutputHead> head_;
    std::vector<std::shared_ptr<Block>> blocks_;
    std::shared_ptr<Embedding> embedding_;
    std::shared_ptr<Norm> final_norm_;  // null: none
    at::Tensor positions_;              // of the last window
    std::int64_t positions_begin_ = 0;
};

// What a model of this configuration asks of its position method, and of attention on a device ("cpu", "cuda:0") with
// weights of `dtype`.
PositionContext position_context(const Config& config);
AttentionRequest attention_request(const Config& config, PositionMethod& position, DType dtype,
                                   const std::string& device);

std::shared_ptr<LanguageModel> make_language_model(const Config& config, std::int64_t vocab_size);
// A model of shapes without values, on the Meta device, by which parameters and memory are counted whatever its size.
// What the position method makes by itself is on the CPU. The default generator is left as it was.
std::shared_ptr<LanguageModel> make_meta_model(const Config& config, std::int64_t vocab_size);

}  // namespace longbow
