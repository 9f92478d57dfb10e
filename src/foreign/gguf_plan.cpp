#include "gguf_plan.h"

#include "export_values.h"
#include "gguf_settings.h"
#include "hf_class.h"
#include "longbow/config/options.h"

namespace longbow {

namespace {

using Position = GgufArchitecture::Position;
using Presence = GgufArchitecture::Presence;

bool present(Presence presence, bool ours) {
    return presence == Presence::required || (presence == Presence::optional && ours);
}

bool power_of_two(std::int64_t number) { return (number & (number - 1)) == 0; }

void settle_alibi(const GgufArchitecture& architecture, const Config& ours, Config& theirs) {
    auto& position = theirs.position;
    position.method = "alibi";
    if (!has_position(ours, "alibi")) return position.options.clear();
    reset_other_options(position, kAlibiOptions);
    // Both rules give the same slopes for as many heads.
    if (!power_of_two(theirs.model.heads)) position.options["slopes"] = std::string("authors");
    position.options["slope_scale"] = 1.0;
    if (architecture.bias_max != 0.0) position.options["bias_max"] = architecture.bias_max;
    position.options["rounding"] = std::string("none");
}

// llama.cpp knows yarn by the paper's numbers, and llama3 by a factor for each pair, where the graph uses them.
void settle_scaling(const GgufArchitecture& architecture, OptionMap& options) {
    const auto scaling = option_string(options, "scaling");
    if (scaling == "yarn") {
        options["beta_fast"] = 32.0;
        options["beta_slow"] = 1.0;
        options["truncate"] = true;
        for (const char* own : {"attention_factor", "mscale", "mscale_all_dim"}) options[own] = 0.0;
    } else if (scaling != "linear" && (scaling != "llama3" || !architecture.frequency_factors)) {
        options["scaling"] = std::string("none");
    }
}

void settle_position(const GgufArchitecture& architecture, const Config& ours, Config& theirs) {
    switch (architecture.position) {
        case Position::alibi: return settle_alibi(architecture, ours, theirs);
        case Position::learned: return settle_learned(ours, theirs, 0);
        case Position::neighbours:
        case Position::halves: {
            settle_rotary(ours, theirs, architecture.part);
            auto& options = theirs.position.options;
            if (architecture.position == Position::neighbours) options["pairs"] = std::string("interleaved");
            if (has_position(ours, "rotary")) settle_scaling(architecture, options);
            return;
        }
    }
}

Config settled(const GgufArchitecture& architecture, const Config& ours) {
    Config theirs = usual_model(ours);
    const auto& o = ours.model;
    auto& model = theirs.model;
    model.kv_heads = o.kv_heads;
    if (architecture.any_head_dim) model.head_dim = o.head_dim;
    model.norm = architecture.norm;
    model.qk_norm = architecture.qk_norm;
    model.embedding_norm = architecture.embedding_norm;
    model.activation =
        is_gelu(architecture.activation) && is_gelu(o.activation) ? o.activation : architecture.activation;
    model.block = o.block == architecture.other_block ? o.block : architecture.block;
    set_linear_biases(model, present(architecture.qkv_bias, o.has_bias(o.qkv_bias)),
                      present(architecture.out_bias, o.has_bias(o.out_bias)),
                      present(architecture.ffn_bias, o.has_bias(o.ffn_bias)),
                      present(architecture.norm_bias, o.has_bias(o.norm_bias)));
    model.head_bias = present(architecture.head_bias, o.head_bias);
    if (architecture.head == Presence::required) model.tie_output = false;
    if (architecture.head == Presence::none) model.tie_output = true;
    if (architecture.embedding_scaled) model.embedding_scale = EmbeddingScale::sqrt_dim_fp32;
    if (architecture.clip) model.qkv_clip = o.qkv_clip;
    if (architecture.whole_scale) model.score_scale = 1.0 / static_cast<double>(model.head_size());
    settle_position(architecture, ours, theirs);
    return theirs;
}

}  // namespace

GgufFit fit_to_gguf(const GgufArchitecture& architecture, const Config& ours) {
    GgufFit fit{&architecture, ours, settled(architecture, ours), {}};
    auto& mine = fit.ours.model;
    auto& theirs = fit.theirs.model;
    // Both forms of the scale are one number in fp32.
    if (scales_embedding(mine.embedding_scale) && architecture.embedding_scaled)
        mine.embedding_scale = theirs.embedding_scale;
    // A factor goes into the input's matrix; where that is the output's too, the file has both.
    if (scales_embedding(mine.embedding_scale) && !architecture.embedding_scaled &&
        architecture.head != Presence::none) {
        mine.embedding_scale = theirs.embedding_scale;
        theirs.tie_output = false;
    }
    // A factor on the scores goes into q or the weights of its norm, unless q is clamped behind its product, or 1 is
    // added to the weights.
    const bool foldable = mine.qk_norm == QkNorm::none || mine.norm != NormKind::rmsnorm_1p;
    if (mine.qkv_clip == 0.0 && foldable) {
        mine.score_scale = theirs.score_scale;
        mine.score_scale_by_layer = theirs.score_scale_by_layer;
    }
    fit.in_the_way = differences_from_class(fit.ours, fit.theirs);
    if (!ours.model.tie_output && theirs.tie_output)
        fit.in_the_way.emplace_back("model.tie_output: false (it has true)");
    if (ours.model.tie_output && !theirs.tie_output) mine.tie_output = false;
    return fit;
}

}  // namespace longbow
