#include "adaptive_head.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_log_softmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>

#include "chunked_loss.h"
#include "dropout.h"
#include "longbow/model/linear.h"
#include "longbow/model/send.h"

namespace longbow {

AdaptiveHead::AdaptiveHead(const Config& config, const AdaptiveEmbedding& embedding, const at::TensorOptions& options)
    : bands_(embedding.bands()),
      tied_words_(config.model.tie_output),
      tied_projections_(config.model.tie_output && config.model.tie_projections),
      init_(config.model.init),
      dropout_(config.model.output_dropout),
      tail_dropout_(config.model.tail_dropout),
      skip_second_words_(config.train.skip_second_tail_words),
      chunk_(config.train.loss_chunk) {
    const auto classes = static_cast<std::int64_t>(bands_.count()) - 1;
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        const auto name = std::to_string(i);
        const auto rows = bands_.words(i) + (i == 0 ? classes : 0);
        words_.push_back(tied_words_ ? embedding.table(i)
                                     : register_parameter("words" + name, at::empty({rows, bands_.dim(i)}, options)));
        if (i == 0) {
            projections_.emplace_back();
        } else {
            projections_.push_back(
                tied_projections_
                    ? embedding.projection(i)
                    : register_parameter("projection" + name, at::empty({config.model.dim, bands_.dim(i)}, options)));
        }
    }
}

// The targets of the first softmax: a word of band 0, or the class of the word's band.
at::Tensor AdaptiveHead::first_targets(const BandSplit& split) const {
    auto first = at::empty_like(split.order);
    const auto* const order = split.order.const_data_ptr<std::int64_t>();
    const auto* const within = split.within.const_data_ptr<std::int64_t>();
    auto* const target = first.mutable_data_ptr<std::int64_t>();
    for (std::size_t band = 0; band < bands_.count(); ++band) {
        const auto band_class = bands_.words(0) + static_cast<std::int64_t>(band) - 1;
        for (auto i = split.begins[band]; i < split.begins[band + 1]; ++i)
            target[order[i]] = band == 0 ? within[i] : band_class;
    }
    return sent(first, words_[0].device());
}

AdaptiveHead::BandTargets AdaptiveHead::band_targets(const BandSplit& split, std::size_t band, bool skip_second) const {
    auto places = split.order.slice(0, split.begins[band], split.begins[band + 1]);
    auto within = split.within.slice(0, split.begins[band], split.begins[band + 1]);
    if (skip_second) {
        const auto kept = within.ne(1);
        places = places.masked_select(kept);
        within = within.masked_select(kept);
    }
    const auto device = words_[0].device();
    return {sent(places, device), sent(within, device)};
}

// The chunk for a band holds as many logits as the first softmax's, but has at least enough tokens to make a product
// worth loading its weights.
std::int64_t AdaptiveHead::chunk(std::size_t band) const {
    constexpr std::int64_t kFewestTokens = 16;
    return std::clamp(chunk_ * words_[0].size(0) / words_[band].size(0), std::min(chunk_, kFewestTokens),
                      std::max(chunk_, kFewestTokens));
}

at::Tensor AdaptiveHead::nll(const at::Tensor& hidden, const at::Tensor& targets) {
    const at::NoGradGuard no_grad;
    const auto split = bands_.split(targets);
    auto out = chunked_nll(hidden, words_[0], at::Tensor(), first_targets(split), chunk_);
    for (std::size_t i = 1; i < bands_.count(); ++i) {
        if (split.begins[i] == split.begins[i + 1]) {
            continue;
        }
        const auto [places, within] = band_targets(split, i, /*skip_second=*/false);
        const auto projected = linear(hidden.index_select(0, places), projections_[i].t(), at::Tensor());
        out.index_add_(0, places, chunked_nll(projected, words_[i], at::Tensor(), within, chunk(i)));
    }
    return out;
}

at::Tensor AdaptiveHead::loss(const at::Tensor& hidden, const at::Tensor& targets, double scale) {
    const auto split = bands_.split(targets);
    const auto input = dropout(hidden, is_training() ? dropout_ : 0.0);
    auto sum = chunked_loss(input, words_[0], at::Tensor(), first_targets(split), scale, chunk_);
    for (std::size_t i = 1; i < bands_.count(); ++i) {
        const auto [places, within] = band_targets(split, i, skip_second_words_ && is_training());
        // In training a band without a word in this batch takes part too, so that its gradient is zero and not missing.
        if (places.size(0) == 0 && !at::GradMode::is_enabled()) {
            continue;
        }
        const auto projected = dropout(linear(input.index_select(0, places), projections_[i].t(), at::Tensor()),
                                       is_training() ? tail_dropout_ : 0.0);
        sum = sum.add(chunked_loss(projected, words_[i], at::Tensor(), within, scale, chunk(i)));
    }
    return sum;
}

at::Tensor AdaptiveHead::logits(const at::Tensor& hidden) {
    const at::NoGradGuard no_grad;
    const auto log_softmax = [](const at::Tensor& values) {
        return at::_log_softmax(values.scalar_type() == at::kDouble ? values : values.to(at::kFloat), -1, false);
    };
    const auto first = log_softmax(plain_logits(hidden, words_[0]));
    std::vector<at::Tensor> parts = {first.narrow(1, 0, bands_.words(0))};
    for (std::size_t i = 1; i < bands_.count(); ++i) {
        const auto within = log_softmax(plain_logits(linear(hidden, projections_[i].t(), at::Tensor()), words_[i]));
        parts.push_back(within.add(first.narrow(1, bands_.words(0) + static_cast<std::int64_t>(i) - 1, 1)));
    }
    return at::cat(parts, 1);
}

// Returns the share of tokens in a band. It is not known before the tokens are read, so Zipf's law over the ranks of
// the vocabulary estimates it.
double AdaptiveHead::expected_share(std::size_t band) const {
    double words = 0;
    for (std::size_t i = 0; i < bands_.count(); ++i) words += static_cast<double>(bands_.words(i));
    const double begin = 1 + static_cast<double>(bands_.begin(band)),
                 end = begin + static_cast<double>(bands_.words(band));
    return std::log(end / begin) / std::log(words + 1);
}

HeadMemory AdaptiveHead::memory(const PassSizes& pass) const {
    const auto dim = static_cast<double>(words_[0].size(1));
    HeadMemory memory;
    double held = dropout_ > 0 ? pass.tokens * dim * pass.wide : 0;  // its output
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        const auto words = words_[i].size(0), band_dim = words_[i].size(1);
        const double tokens = i == 0 ? pass.tokens : pass.tokens * expected_share(i);
        if (i > 0) {
            // The tokens of this band, gathered (the projection keeps them in its type) and projected.
            const double gathered = tokens * (dim + static_cast<double>(band_dim)) * pass.narrow;
            held += gathered;
            memory.handed_on += gathered;
        }
        const auto loss = chunked_loss_memory(pass, tokens, words, band_dim, i == 0 ? chunk_ : chunk(i));
        memory.loss = std::max(memory.loss, held + loss.kept + loss.most);
        held += loss.kept;
        memory.handed_on += loss.kept;
        memory.weight_gradients += loss.weight_gradient;
    }
    // The gradients of each band's tokens are scattered into a tensor of all tokens, which is added to the sum.
    memory.hidden_gradient = 2 * pass.tokens * dim * pass.wide;
    if (tied_words_) memory.tied_gradients = memory.weight_gradients;
    memory.evaluation = chunked_nll_memory(pass, words_[0].size(0), words_[0].size(1), chunk_);
    return memory;
}

void AdaptiveHead::reset_parameters() {
    const auto classes = static_cast<std::int64_t>(bands_.count()) - 1;
    if (!tied_words_) {
        for (std::size_t i = 0; i < bands_.count(); ++i) {
            init_band_words(words_[i].narrow(0, 0, bands_.words(i)), init_);
        }
    }
    for (std::size_t i = 1; i < bands_.count() && !tied_projections_; ++i) {
        init_band_matrix(projections_[i], init_);
    }
    init_band_matrix(words_[0].narrow(0, bands_.words(0), classes), init_);
}

void AdaptiveHead::list_tensors(std::vector<NamedTensor>& tensors) const {
    for (std::size_t i = 0; i < bands_.count(); ++i) {
        const std::string band = "head.bands." + std::to_string(i);
        if (!tied_words_) {
            tensors.push_back({band + ".weight", words_[i].narrow(0, 0, bands_.words(i))});
        }
        if (i > 0 && !tied_projections_) {
            tensors.push_back({band + ".projection", projections_[i]});
        }
    }
    tensors.push_back(
        {"head.classes", words_[0].narrow(0, bands_.words(0), static_cast<std::int64_t>(bands_.count()) - 1)});
}

}  // namespace longbow
