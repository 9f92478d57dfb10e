#include "longbow/model/language_model.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

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
#include "projection.h"
#include "recompute.h"

namespace longbow {

std::shared_ptr<PositionMethod> make_positions(const Config& config) {
    const auto& model = config.model;
    return make_positions(config.position,
                          {model.layers, model.dim, model.heads, config.train.length, {}, model.head_size()});
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
    if (model.head_dim == 0 && model.dim % model.heads != 0) {
        throw ConfigError(fmt::format("model.dim ({}) is not a multiple of model.heads ({})", model.dim, model.heads));
    }
    if (model.heads % model.key_value_heads() != 0) {
        throw ConfigError(fmt::format("model.heads ({}) is not a multiple of model.kv_heads ({})", model.heads,
                                      model.key_value_heads()));
    }
    embedding_ = register_module("embed", make_embedding(model, vocab_size, device));
    if (model.embedding_norm)
        embedding_norm_ = register_module("embed_norm", std::make_shared<Norm>(model, device, model.token_dim()));
    if (model.token_dim() != model.dim) {
        project_in_ = register_module("project_in",
                                      std::make_shared<Projection>(model.token_dim(), model.dim, model.init, device));
    }
    position_ = register_module("position", make_positions(config_));
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

namespace {

// What rotate() makes of queries and keys in any layer.
struct RotatedSizes {
    bool far = false;
    std::int64_t score_dim = 0;
};

// Returns where the method's own numbers are.
at::Device device_of(const PositionMethod& position) {
    for (const auto& tensor : position.parameters()) return tensor.device();
    return at::kCPU;
}

// The method itself is tried, so that a method of the user's own is judged like the others.
RotatedSizes rotated_sizes(PositionMethod& position, const ModelConfig& model, std::int64_t window) {
    const at::NoGradGuard no_grad;
    PositionState state;  // a method with two ranges makes both of them only in a window that reaches the far one
    PositionCall call;
    call.evaluated_length = call.keys = 1;
    call.window = window;
    const auto options = at::TensorOptions().device(device_of(position));
    call.positions = call.key_positions = at::zeros({1}, options.dtype(at::kLong));
    call.x = at::zeros({1, 1, model.dim}, options);
    call.q = at::zeros({1, model.heads, 1, model.head_size()}, options);
    call.k = at::zeros({1, model.key_value_heads(), 1, model.head_size()}, options);
    call.state = &state;
    RotatedSizes sizes;
    for (call.layer = 0; call.layer < model.layers; ++call.layer) {
        const auto rotated = position.rotate(call);
        sizes.far = sizes.far || rotated.far_q.defined();
        sizes.score_dim = std::max(sizes.score_dim, rotated.q.size(3));
    }
    return sizes;
}

}  // namespace

AttentionRequest attention_request(const Config& config, PositionMethod& position, DType dtype,
                                   const std::string& device) {
    AttentionRequest request;
    request.dtype = dtype;
    request.device = device;
    request.head_dim = config.model.head_size();
    request.kv_heads = config.model.key_value_heads();
    request.dropout = config.model.attention_dropout;
    request.options = config.attention.options;
    request.skip_threshold =
        config.attention.skip_threshold > 0 ? config.attention.skip_threshold : std::numeric_limits<double>::infinity();
    request.windowed = config.position.window > 0;
    bool tables_stay = false;
    const auto sizes = rotated_sizes(position, config.model, config.position.window);
    request.far = sizes.far;
    request.score_dim = sizes.score_dim;
    for (std::int64_t layer = 0; layer < config.model.layers; ++layer) {
        request.attends = request.attends || position.attends(layer);
        if (const auto from_data = position.parts_from_data(layer); !from_data.empty()) {
            request.bias |= from_data;
            request.bias_from_data = true;
            continue;
        }
        if (layer > 0 && position.bias_as_before(layer)) continue;
        PositionCall call;
        call.layer = layer;
        const auto bias = position.bias(call);
        request.bias |= bias.parts();
        request.sums = request.sums || (bias.slopes.defined() && bias.table.defined());
        request.bias_needs_grad = request.bias_needs_grad || bias.requires_grad();
        tables_stay = tables_stay || (bias.table.defined() && !bias.table_fades);
        request.windowed = request.windowed || bias.window > 0;
    }
    request.table_fades = request.bias.has(BiasPart::table) && !tables_stay;
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

std::unique_ptr<AttentionBackend> LanguageModel::use_attention(std::unique_ptr<AttentionBackend> backend) {
    attention();  // sets backend_for_
    return std::exchange(backend_, std::move(backend));
}

namespace {

double embedding_factor(const ModelConfig& config) {
    const double root = std::sqrt(static_cast<double>(config.dim));
    switch (config.embedding_scale) {
        case EmbeddingScale::sqrt_dim: return root;
        case EmbeddingScale::sqrt_dim_fp32: return static_cast<double>(static_cast<float>(root));
        case EmbeddingScale::none: return 1.0;
    }
    return 1.0;  // no value is left
}

}  // namespace

at::Tensor LanguageModel::hidden(const at::Tensor& tokens, KvCache* cache) {
    auto x = embedding_->forward(tokens);
    if (const double factor = embedding_factor(config_.model); factor != 1.0) x = x.mul(factor);
    if (embedding_norm_ != nullptr) x = embedding_norm_->forward(x);
    if (project_in_ != nullptr) x = project_in_->forward(x);
    return run_blocks(x, cache);
}

namespace {

// Returns the tokens of the whole window, of which `end` are known.
std::int64_t evaluated_length(const PositionMethod& position, const KvCache* cache, std::int64_t end) {
    if (cache == nullptr || cache->evaluated_length == 0) {
        if (cache != nullptr && position.depends_on_length())
            throw Error("a position method that depends on the length needs KvCache::evaluated_length");
        return end;
    }
    if (end > cache->evaluated_length) {
        throw Error(fmt::format("{} tokens are more than the {} for which this generation was begun", end,
                                cache->evaluated_length));
    }
    return cache->evaluated_length;
}

}  // namespace

at::Tensor LanguageModel::run_blocks(const at::Tensor& embedded, KvCache* cache) {
    const auto begin = cache == nullptr ? 0 : cache->length;
    const auto end = begin + embedded.size(1);
    PositionCall call;
    call.evaluated_length = evaluated_length(*position_, cache, end);
    call.keys = end;
    call.training = is_training();
    call.window = config_.position.window;
    set_positions(call, begin, embedded.device(), cache);
    auto x = dropout(position_->embed(embedded, call), is_training() ? config_.model.dropout : 0.0);

    BiasSpec bias;
    AttentionScratch scratch;
    auto& backend = attention();
    const bool recompute =
        config_.train.recompute == Recompute::layer && is_training() && at::GradMode::is_enabled() && cache == nullptr;
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
        call.layer = static_cast<std::int64_t>(layer);
        call.state = cache == nullptr ? nullptr : &cache->state(layer);
        if (!position_->parts_from_data(call.layer).empty()) {
            bias = {};  // the layer makes it of its own tokens
            scratch = {};
        } else if (layer == 0 || !position_->bias_as_before(call.layer)) {
            bias = position_->bias(call);
            if (bias.window == 0) bias.window = config_.position.window;
            scratch = {};
            if (recompute) {
                backend.prepare(bias, embedded.size(1), embedded.options().dtype(product_type(embedded)), scratch);
            }
        }
        const BlockPass pass{backend, *position_, call, bias, &scratch, cache};
        x = recompute ? recomputed(blocks_[layer], x, pass) : blocks_[layer]->forward(x, pass);
    }
    if (cache != nullptr) {
        cache->length += embedded.size(1);
    }
    return final_norm_ == nullptr ? x : final_norm_->forward(x);
}

void LanguageModel::set_positions(PositionCall& call, std::int64_t begin, at::Device device, KvCache* cache) {
    const auto end = call.keys;
    const auto limit = position_->max_length();
    if (limit > 0 && end > limit) {
        throw UsageError(fmt::format("position method \"{}\" ends at {} tokens; a window of {} cannot be served",
                                     config_.position.method_names(), limit, end));
    }
    at::Tensor drawn;
    if (cache != nullptr && cache->positions.defined()) {
        drawn = cache->positions;
    } else if (drawn = position_->draw_positions(call.evaluated_length, call.training); drawn.defined()) {
        drawn = drawn.to(device);
        if (cache != nullptr) cache->positions = drawn;
    }
    if (drawn.defined()) {
        call.positions = drawn.slice(0, begin, end);
        call.key_positions = drawn.slice(0, 0, end);
        return;
    }
    // The same tensors serve again for the same window, so that position methods can keep what they derive from them.
    if (!positions_.defined() || positions_begin_ != begin || positions_.size(0) != end - begin ||
        positions_.device() != device) {
        const auto all = at::arange(end, at::TensorOptions().dtype(at::kLong).device(device));
        key_positions_ = all;
        positions_ = begin == 0 ? all : all.slice(0, begin, end);
        positions_begin_ = begin;
    }
    call.positions = positions_;
    call.key_positions = key_positions_;
}

std::vector<NamedTensor> LanguageModel::stored_tensors() const {
    std::vector<NamedTensor> tensors;
    embedding_->list_tensors(tensors);
    if (embedding_norm_ != nullptr) embedding_norm_->list_tensors("embed.norm", tensors);
    if (project_in_ != nullptr) project_in_->list_tensors("embed.project_in", tensors);
    for (const auto& item : position_->named_parameters()) {
        tensors.push_back({"position." + stored_position_name(item.key()), item.value()});
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
    if (embedding_norm_ != nullptr) embedding_norm_->reset_parameters();
    if (project_in_ != nullptr) project_in_->reset_parameters();
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
    return embedding_->product_weights() + (project_in_ == nullptr ? 0 : project_in_->product_weights()) +
           head_->product_weights();
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
