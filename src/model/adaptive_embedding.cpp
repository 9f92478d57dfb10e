#include "adaptive_embedding.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

#include "first_weights.h"
#include "longbow/model/linear.h"
#include "longbow/model/send.h"

namespace longbow {

AdaptiveEmbedding::AdaptiveEmbedding(const ModelConfig& config, std::int64_t vocab_size,
                                     const at::TensorOptions& options)
    : bands_(config, vocab_size), init_(config.init) {
    const auto classes = config.tie_output ? static_cast<std::int64_t>(bands_.count()) - 1 : 0;
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        const auto name = std::to_string(i);
        const auto rows = bands_.words(i) + (i == 0 ? classes : 0);
        tables_.push_back(register_parameter("table" + name, at::empty({rows, bands_.dim(i)}, options)));
        projections_.push_back(
            register_parameter("projection" + name, at::empty({config.dim, bands_.dim(i)}, options)));
    }
}

at::Tensor AdaptiveEmbedding::forward(const at::Tensor& tokens) {
    const auto split = bands_.split(tokens.reshape({-1}));
    const auto device = tables_[0].device();
    const auto within = sent(split.within, device);
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        const auto begin = split.begins[i], end = split.begins[i + 1];
        // In training a band without a word in this batch takes part too, so that its gradient is zero and not missing.
        if (begin == end && !at::GradMode::is_enabled()) {
            continue;
        }
        const auto rows = at::embedding(tables_[i], within.slice(0, begin, end));  // [n_i, dim_i]
        parts.push_back(linear(rows, projections_[i], at::Tensor()).to(tables_[i].scalar_type()));
    }
    const auto place_in_parts = sent(at::argsort(split.order), device);
    auto shape = tokens.sizes().vec();
    shape.push_back(projections_[0].size(0));
    return at::cat(parts).index_select(0, place_in_parts).view(shape);
}

EmbeddingMemory AdaptiveEmbedding::memory(const PassSizes& pass) const {
    EmbeddingMemory memory;
    for (const auto& table : tables_)
        memory.table_gradient = std::max(memory.table_gradient, static_cast<double>(table.numel()) * pass.wide);
    // An embedding of one table has one tensor less; here there is also the gradient in the order of the bands.
    memory.gradient = 3 * pass.tokens * static_cast<double>(projections_[0].size(0)) * pass.wide;
    return memory;
}

void AdaptiveEmbedding::reset_parameters() {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        init_band_words(tables_[i].narrow(0, 0, bands_.words(i)), init_);
        init_band_matrix(projections_[i], init_);
    }
}

void AdaptiveEmbedding::list_tensors(std::vector<NamedTensor>& tensors) const {
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        const std::string band = "embed.bands." + std::to_string(i);
        tensors.push_back({band + ".weight", tables_[i].narrow(0, 0, bands_.words(i))});
        tensors.push_back({band + ".projection", projections_[i]});
    }
}

void init_band_words(const at::Tensor& words, FirstWeights init) {
    const at::NoGradGuard no_grad;
    words.normal_(0.0, word_deviation(init, words.size(1)));
    switch (init) {
        case FirstWeights::fairseq:
            // Fairseq clears the row of its padding id, which is in every band
            if (words.size(0) > 1) words[1].zero_();
            break;
        case FirstWeights::gpt2: break;
    }
}

void init_band_matrix(const at::Tensor& matrix, FirstWeights init) {
    const at::NoGradGuard no_grad;
    switch (init) {
        case FirstWeights::fairseq:  // xavier
            draw_uniform(matrix, std::sqrt(6.0 / static_cast<double>(matrix.size(0) + matrix.size(1))));
            break;
        case FirstWeights::gpt2: matrix.normal_(0.0, kGpt2Deviation); break;
    }
}

}  // namespace longbow
