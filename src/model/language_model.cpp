#include "longbow/model/language_model.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "adaptive_embedding.h"
#include "adaptive_head.h"
#include "block.h"
#include "dropout.h"
#include "embedding.h"
#include "generator_state.h"
#include "linear_head.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "norm.h"
#include "product_type.h"
#include "recompute.h"

namespace longbow {

PositionContext position_context(const Config& config) {
    return {config.model.layers, config.model.dim, config.model.heads, config.train.length, config.position.options};
}

namespace {

std::shared_ptr<Embedding> make_embedding(const ModelConfig& model, std::int64_t vocab_size,
                                          const at::TensorOptions& options) {
    if (model.adaptive_cutoffs.empty()) {
        return std::make_shared<TokenEmbedding>(model, vocab_size, options);
    }
    return std::make_shared<AdaptiveEmbedding>(model, vocab_size, options);
}

// A tied head shares the embedding's parameters, which remain registered in the embedding.
std::shared_ptr<OutputHead> make_head(const Config& config, std::int64_t vocab_size, const Embedding& embedding,
                                      const at::TensorOptions& options) {
    if (const auto* adaptive = dynamic_cast<const AdaptiveEmbedding*>(&embedding)) {
        return std::make_shared<AdaptiveHead>(config, *adaptive, options);
    }
    const auto& tokens = dynamic_cast<const TokenEmbedding&>(embedding);
    return std::make_shared<LinearHead>(config, vocab_size, config.model.tie_output ? tokens.weight() : at::Tensor(),
                                        options);
}

// Module::to(dtype) is not used because it would also convert integer buffers.
void convert_floating(torch::nn::Module& module, at::ScalarType type) {
    const at::NoGradGuard no_grad;
    for (auto& tensor : module.parameters()) {
        tensor.set_data(tensor.to(type));
    }
    for (auto& tensor : module.buffers()) {
        if (tensor.is_floating_point()) {
            tensor.set_data(tensor.to(type));
        }
    }
}

}  // namespace

LanguageModel::LanguageModel(const Config& config, std::int64_t vocab_size, at::Device device)
    : config_(config), vocab_size_(vocab_size) {
    const auto& model = config_.model;
    // A configuration that was read has been checked (config/checks.cpp); one that a caller made has not.
    if (model.dim % model.heads != 0) {
        throw ConfigError(fmt::format("model.dim ({}) is not a multiple of model.heads ({})", model.dim, model.heads));
    }
    embedding_ = register_module("embed", make_embedding(model, vocab_size, device));
    position_ = register_module("position", make_position_method(config_.position.method, position_context(config_)));
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        blocks_.push_back(
            register_module("layer" + std::to_string(layer), std::make_shared<Block>(model, layer, device)));
    }
    if (model.final_norm) {
        final_norm_ = register_module("final_norm", std::make_shared<Norm>(model, device));
    }
    head_ = register_module("head", make_head(config_, vocab_size, *embedding_, device));
    const auto type = config_.train.dtype == DType::fp64 ? at::kDouble : at::kFloat;
    if (device.is_meta()) return;  // shapes only: there is nothing to draw, and nowhere to compute
    convert_floating(*this, type);
    reset_parameters();
    attention();
}

LanguageModel::~LanguageModel() = default;

AttentionRequest attention_request(const Config& config, PositionMethod& position, DType dtype,
                                   const std::string& device) {
    AttentionRequest request;
    request.dtype = dtype;
    request.device = device;
    request.head_dim = config.model.dim / config.model.heads;
    request.dropout = config.model.attention_dropout;
    request.options = config.attention.options;
    request.skip_threshold =
        config.attention.skip_threshold > 0 ? config.attention.skip_threshold : std::numeric_limits<double>::infinity();
    const auto bias = position.bias(0);
    request.bias = bias.kind;
    request.bias_needs_grad = bias.table.defined() && bias.table.requires_grad();
    return request;
}

AttentionBackend& LanguageModel::attention() {
    // The model may have been moved or widened since the last call.
    const auto weight = embedding_->parameters().front();
    const auto options = at::TensorOptions().device(weight.device()).dtype(weight.scalar_type());
    if (backend_ == nullptr || options.device() != backend_for_.device() || options.dtype() != backend_for_.dtype()) {
        const auto dtype = weight.scalar_type() == at::kDouble ? DType::fp64 : config_.train.dtype;
        backend_ = make_attention_backend(config_.attention.backend,
                                          attention_request(config_, *position_, dtype, weight.device().str()));
        backend_for_ = options;
    }
    return *backend_;
}

at::Tensor LanguageModel::hidden(const at::Tensor& tokens, KvCache* cache) {
    auto x = embedding_->forward(tokens);
    if (config_.model.embedding_scale == EmbeddingScale::sqrt_dim) {
        x = x.mul(std::sqrt(static_cast<double>(config_.model.dim)));
    }
    return run_blocks(x, cache);
}

at::Tensor LanguageModel::run_blocks(const at::Tensor& embedded, KvCache* cache) {
    const auto begin = cache == nullptr ? 0 : cache->length;
    const auto& positions = positions_of(begin, begin + embedded.size(1), embedded.device());
    auto x = dropout(position_->embed(embedded, positions), is_training() ? config_.model.dropout : 0.0);

    const bool bias_differs = position_->bias_differs_by_layer();
    BiasSpec bias;
    AttentionScratch scratch;
    auto& backend = attention();
    const bool recompute =
        config_.train.recompute == Recompute::layer && is_training() && at::GradMode::is_enabled() && cache == nullptr;
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
        if (layer == 0 || bias_differs) {
            bias = position_->bias(static_cast<std::int64_t>(layer));
            scratch = {};
            if (recompute) {
                backend.prepare(bias, embedded.size(1), embedded.options().dtype(product_type(embedded)), scratch);
            }
        }
        const BlockPass pass{backend, *position_, positions, bias, &scratch, cache};
        x = recompute ? recomputed(blocks_[layer], x, pass) : blocks_[layer]->forward(x, pass);
    }
    if (cache != nullptr) {
        cache->length += embedded.size(1);
    }
    return final_norm_ == nullptr ? x : final_norm_->forward(x);
}

// Returns the same tensor again for the same window, so that position methods can cache what they derive from it.
const at::Tensor& LanguageModel::positions_of(std::int64_t begin, std::int64_t end, at::Device device) {
    const auto limit = position_->max_length();
    if (limit > 0 && end > limit) {
        throw UsageError(fmt::format(
            "position method \"{}\" ends at {} tokens (position.max_length); a window of {} cannot be served",
            config_.position.method, limit, end));
    }
    if (!positions_.defined() || positions_begin_ != begin || positions_.size(0) != end - begin ||
        positions_.device() != device) {
        positions_ = at::arange(begin, end, at::TensorOptions().dtype(at::kLong).device(device));
        positions_begin_ = begin;
    }
    return positions_;
}

std::vector<NamedTensor> LanguageModel::stored_tensors() const {
    std::vector<NamedTensor> tensors;
    embedding_->list_tensors(tensors);
    for (const auto& item : position_->named_parameters()) {
        tensors.push_back({"position." + item.key(), item.value()});
    }
    for (const auto& block : blocks_) {
        block->list_tensors(tensors);
    }
    if (final_norm_ != nullptr) {
        final_norm_->list_tensors("final_norm", tensors);
    }
    head_->list_tensors(tensors);
    for (auto& [name, tensor] : tensors) {
        tensor = tensor.detach();
    }
    return tensors;
}

void LanguageModel::reset_parameters() {
    const at::NoGradGuard no_grad;
    embedding_->reset_parameters();
    position_->reset_parameters();
    for (const auto& block : blocks_) {
        block->reset_parameters();
    }
    if (final_norm_ != nullptr) {
        final_norm_->reset_parameters();
    }
    head_->reset_parameters();
}

std::int64_t LanguageModel::parameter_count() const {
    std::int64_t count = 0;
    for (const auto& parameter : parameters()) {
        count += parameter.numel();
    }
    return count;
}

std::int64_t LanguageModel::layer_product_weights() const {
    std::int64_t count = 0;
    for (const auto& block : blocks_) count += block->product_weights();
    return count;
}

std::int64_t LanguageModel::head_product_weights() const {
    return embedding_->product_weights() + head_->product_weights();
}

bool LanguageModel::decays(const at::Tensor& tensor) const {
    for (const auto& item : named_parameters()) {
        if (item.value().is_alias_of(tensor)) {
            return item.value().dim() > 1 && !starts_with(item.key(), "position.");
        }
    }
    return false;
}

std::shared_ptr<LanguageModel> make_language_model(const Config& config, std::int64_t vocab_size) {
    return std::make_shared<LanguageModel>(config, vocab_size);
}

std::shared_ptr<LanguageModel> make_meta_model(const Config& config, std::int64_t vocab_size) {
    const auto& generator = at::globalContext().defaultGenerator(at::kCPU);
    const auto state = state_of(generator);
    auto model = std::make_shared<LanguageModel>(config, vocab_size, at::kMeta);
    set_state_of(generator, state);  // the position method may have drawn initial values
    return model;
}

}  // namespace longbow
