#include "export_values.h"

#include <cmath>

#include "longbow/config/options.h"

namespace longbow {

bool is_norm_weight(const std::string& ours) {
    return ours.ends_with("norm1.weight") || ours.ends_with("norm2.weight") || ours == "final_norm.weight" ||
           ours == "embed.norm.weight" || ours.ends_with("q_norm.weight") || ours.ends_with("k_norm.weight");
}

double one_of_norm(NormKind norm) {
    switch (norm) {
        case NormKind::layernorm:
        case NormKind::rmsnorm: return 1.0;
        case NormKind::rmsnorm_1p: return 0.0;
    }
    return 1.0;
}

bool scales_embedding(EmbeddingScale scale) {
    switch (scale) {
        case EmbeddingScale::sqrt_dim:
        case EmbeddingScale::sqrt_dim_fp32: return true;
        case EmbeddingScale::none: return false;
    }
    return false;
}

bool is_exact_factor(double factor) {
    int exponent = 0;
    return std::frexp(factor, &exponent) == 0.5;
}

void change_norms(const ModelConfig& ours, const ModelConfig& theirs, const std::vector<ExportedTensor>& tensors,
                  std::map<std::string, ValueChange>& changes, std::vector<std::string>& notes) {
    const double summand = one_of_norm(theirs.norm) - one_of_norm(ours.norm);
    if (summand == 0.0 || !ours.norm_weights) return;
    for (const auto& tensor : tensors) {
        for (const auto& part : tensor.parts) {
            if (is_norm_weight(part.ours)) changes[part.ours].summand = summand;
        }
    }
    notes.emplace_back(summand < 0 ? "1 is subtracted from the weights of norms, which may round their last bit"
                                   : "1 is added to the weights of norms, which may round their last bit");
}

void change_pairs(const Config& ours, const Config& theirs, std::map<std::string, ValueChange>& changes) {
    const auto mine = ours.position.options.find("pairs"), other = theirs.position.options.find("pairs");
    if (mine == ours.position.options.end() || other == theirs.position.options.end() || mine->second == other->second)
        return;
    const auto& model = ours.model;
    const auto dim = option_int(ours.position.options, "dim");
    const auto turned = dim > 0 ? dim : model.head_size();
    const bool to_neighbours = mine->second == OptionValue(std::string("halves"));
    const auto move = [&](const std::string& tensor, std::int64_t groups) {
        auto& change = changes[tensor];
        change.heads = groups;
        change.turned = turned;
        change.to_neighbours = to_neighbours;
    };
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const auto attention = "layers." + std::to_string(i) + ".attention.";
        for (const auto& [part, heads] : {std::pair{"q", model.heads}, std::pair{"k", model.key_value_heads()}}) {
            move(attention + part + ".weight", heads);
            move(attention + part + ".bias", heads);
            move(attention + part + "_norm.weight", model.qk_norm == QkNorm::whole ? heads : 1);
        }
    }
}

}  // namespace longbow
