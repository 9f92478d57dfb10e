// Defines the decoder-only transformer language model: token embedding, blocks, output head, and one position method.
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
#include "longbow/position/position_state.h"

namespace longbow {

class Block;
class Embedding;
class Norm;
class Projection;

// Holds keys and values of the tokens seen so far, one pair for each layer, [batch, kv_heads, length, head_dim], and
// what the position method needs of these tokens. It is for generation and throws Error while gradients are enabled.
struct KvCache {
    std::vector<GrowingTensor> keys, values;
    std::vector<GrowingTensor> far_keys;  // as keys, of methods that turn keys twice (Rotated::far_k)
    std::vector<PositionState> states;    // of each layer; see state()
    // Of all tokens of the generation, [evaluated_length], where the position method draws them; undefined: 0, 1, 2, ..
    at::Tensor positions{};
    std::int64_t length = 0;  // tokens of complete forward passes; the model advances it
    // Tokens of the whole generation, which PositionCall::evaluated_length says in each pass; 0: those so far, which
    // does not serve a position method that depends on the length, since keys are kept as they were computed.
    std::int64_t evaluated_length = 0;

    // Appends key, value [batch, kv_heads, n, head_dim] of the new tokens. Returns those of all tokens, [batch,
    // kv_heads, length + n, head_dim].
    std::pair<at::Tensor, at::Tensor> append(std::size_t layer, const at::Tensor& key, const at::Tensor& value);
    // Appends far_key [batch, kv_heads, n, head_dim] of the new tokens and returns those of all.
    at::Tensor append_far(std::size_t layer, const at::Tensor& far_key);
    // Returns what the position method keeps in this layer (PositionCall::state). The reference is valid until another
    // layer is asked for.
    PositionState& state(std::size_t layer);
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
    // Does the same from embedded tokens [batch, length, dim] on (scaled, normed, projected): positions, blocks, final
    // norm.
    at::Tensor run_blocks(const at::Tensor& embedded, KvCache* cache = nullptr);
    OutputHead& head() { return *head_; }
    PositionMethod& position() { return *position_; }
    [[nodiscard]] const PositionMethod& position() const { return *position_; }
    // Returns the attention back-end for the weights' present device and type.
    AttentionBackend& attention();
    // Replaces that back-end, while the weights stay on their device and keep their type, and returns it: a probe puts
    // one in its place that looks at what passes through it. The caller answers for what it serves.
    std::unique_ptr<AttentionBackend> use_attention(std::unique_ptr<AttentionBackend> backend);

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
    // Fills in call.positions and call.key_positions of the tokens begin .. call.keys - 1.
    void set_positions(PositionCall& call, std::int64_t begin, at::Device device, KvCache* cache);

    Config config_;
    std::int64_t vocab_size_;
    std::unique_ptr<AttentionBackend> backend_;
    at::TensorOptions backend_for_;  // device and type of the weights for which it was chosen
    std::shared_ptr<PositionMethod> position_;
    std::shared_ptr<OutputHead> head_;
    std::vector<std::shared_ptr<Block>> blocks_;
    std::shared_ptr<Embedding> embedding_;
    std::shared_ptr<Norm> embedding_norm_;    // null: no norm behind the embedding
    std::shared_ptr<Projection> project_in_;  // null: the embedding is as wide as the model
    std::shared_ptr<Norm> final_norm_;        // null: no final norm
    at::Tensor positions_, key_positions_;    // of the last window: PositionCall's
    std::int64_t positions_begin_ = 0;
};

// Makes the position method of a model of this configuration, which serves all its layers (make_positions()).
std::shared_ptr<PositionMethod> make_positions(const Config& config);
// Returns what a model of this configuration needs of attention on a device ("cpu", "cuda:0") with weights of `dtype`.
AttentionRequest attention_request(const Config& config, PositionMethod& position, DType dtype,
                                   const std::string& device);

std::shared_ptr<LanguageModel> make_language_model(const Config& config, std::int64_t vocab_size);
// Makes a model of shapes without values, on the Meta device, from which parameters and memory are computed whatever
// the model's size. What the position method makes by itself is on the CPU. The default generator's state does not
// change.
std::shared_ptr<LanguageModel> make_meta_model(const Config& config, std::int64_t vocab_size);

}  // namespace longbow
