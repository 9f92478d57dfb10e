#include "longbow/foreign/gguf_export.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "export_values.h"
#include "gguf_plan.h"
#include "gguf_rules.h"
#include "gguf_settings.h"
#include "hf_class.h"
#include "longbow/config/options.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Position = GgufArchitecture::Position;

constexpr std::size_t kMostAnswers = 4;  // architectures that a refusal speaks of
constexpr const char *kEmbedding = "embed.tokens.weight", *kHead = "head.weight";

class Planner {
public:
    Planner(const GgufFit& fit, const HfExportModel& model, const Config& ours)
        : architecture_(*fit.architecture), theirs_(fit.theirs), ours_(ours), model_(model) {}

    GgufExport plan() {
        plan_.architecture = architecture_.name;
        tensors();
        embedding();
        scores();
        change_norms(ours_.model, theirs_.model, plan_.tensors, plan_.changes, plan_.notes);
        change_pairs(ours_, theirs_, plan_.changes);
        sizes();
        positions();
        activation();
        return std::move(plan_);
    }

private:
    void tensors() {
        HfSettings settings;
        settings.config = theirs_;
        settings.vocab_size = model_.vocab_size;
        const bool two_norms =
            architecture_.block == BlockKind::parallel_one_norm && theirs_.model.block == BlockKind::parallel;
        const auto rules = gguf_rules(settings, {.fused = architecture_.fused, .two_norms = two_norms});
        for (const auto& rule : rules.all()) add(rule);
    }

    void add(const TensorRule& rule) {
        // The parts of a fused matrix and of its bias alternate.
        auto& tensors = plan_.tensors;
        auto tensor = std::find_if(tensors.begin(), tensors.end(),
                                   [&](const ExportedTensor& one) { return one.name == rule.theirs; });
        if (tensor == tensors.end()) tensor = tensors.insert(tensor, {rule.theirs, rule.theirs_shape, {}});
        // Where our output projection is the embedding and theirs a tensor of its own, it is the embedding once more.
        const bool again = rule.ours == kHead && ours_.model.tie_output;
        ExportedPart part{again ? kEmbedding : rule.ours, rule.offset, rule.sizes, rule.strides};
        part.unchanged = again;
        tensor->parts.push_back(std::move(part));
        plan_.constants[rule.ours] = is_norm_weight(rule.ours) ? one_of_norm(theirs_.model.norm) : 0.0;
        if (again)
            plan_.notes.emplace_back("the embedding is written twice: as output.weight too, which is the same here");
    }

    void embedding() {
        if (!scales_embedding(ours_.model.embedding_scale) || scales_embedding(theirs_.model.embedding_scale)) return;
        const double root = std::sqrt(static_cast<double>(ours_.model.dim));
        plan_.changes[kEmbedding].factor = root;
        if (!is_exact_factor(root))
            plan_.notes.emplace_back("the embedding is multiplied by sqrt(dim), which rounds its last bit");
    }

    static double scale_of(const ModelConfig& model, std::int64_t layer) {
        const double whole =
            model.score_scale > 0 ? model.score_scale : 1.0 / std::sqrt(static_cast<double>(model.head_size()));
        return model.score_scale_by_layer ? whole / static_cast<double>(layer + 1) : whole;
    }

    // What our scores are multiplied by and theirs are not goes into the queries.
    void scores() {
        const auto &ours = ours_.model, &theirs = theirs_.model;
        if (ours.score_scale_by_layer == theirs.score_scale_by_layer && ours.score_scale == theirs.score_scale) return;
        bool exact = true;
        for (std::int64_t layer = 0; layer < ours.layers; ++layer) {
            const double ratio = scale_of(ours, layer) / scale_of(theirs, layer);
            const auto query = "layers." + std::to_string(layer) + ".attention.q";
            // A norm of the queries takes it, since it undoes factors on what comes before.
            if (ours.qk_norm != QkNorm::none) {
                plan_.changes[query + "_norm.weight"].factor = ratio;
            } else {
                plan_.changes[query + ".weight"].factor = plan_.changes[query + ".bias"].factor = ratio;
            }
            exact = exact && is_exact_factor(ratio);
        }
        if (!exact)
            plan_.notes.emplace_back(
                "the weights of queries are multiplied by the scale of the scores, which rounds "
                "their last bit");
    }

    [[nodiscard]] std::string key(const char* name) const { return std::string(architecture_.name) + "." + name; }

    void sizes() {
        const auto& model = theirs_.model;
        auto& metadata = plan_.metadata;
        const auto table = theirs_.position.options.find("max_length");
        metadata.count(key("context_length"), table != theirs_.position.options.end()
                                                  ? std::get<std::int64_t>(table->second)
                                                  : longest_input(theirs_));
        metadata.count(key("embedding_length"), model.dim);
        metadata.count(key("block_count"), model.layers);
        metadata.count(key("feed_forward_length"), model.ffn_dim);
        metadata.count(key("attention.head_count"), model.heads);
        metadata.count(key("attention.head_count_kv"), model.key_value_heads());
        if (model.head_size() * model.heads != model.dim) {
            metadata.count(key("attention.key_length"), model.head_size());
            metadata.count(key("attention.value_length"), model.head_size());
        }
        metadata.real(key(model.norm == NormKind::layernorm ? "attention.layer_norm_epsilon"
                                                            : "attention.layer_norm_rms_epsilon"),
                      model.norm_eps);
        if (model.qkv_clip > 0) metadata.real(key("attention.clamp_kqv"), model.qkv_clip);
        if (architecture_.other_block == BlockKind::pre_norm && architecture_.block == BlockKind::parallel)
            metadata.flag(key("use_parallel_residual"), model.block == BlockKind::parallel);
        metadata.count(key("vocab_size"), model_.vocab_size);
    }

    void positions() {
        const auto& options = theirs_.position.options;
        auto& metadata = plan_.metadata;
        if (architecture_.position == Position::alibi && architecture_.bias_max == 0.0)
            metadata.real(key("attention.max_alibi_bias"), option_double(options, "bias_max"));
        if (architecture_.position != Position::neighbours && architecture_.position != Position::halves) return;
        metadata.count(key("rope.dimension_count"), turned());
        metadata.real(key("rope.freq_base"), option_double(options, "base"));
        const auto scaling = option_string(options, "scaling");
        if (scaling == "llama3") return frequency_factors();
        if (scaling == "none") return;
        metadata.text(key("rope.scaling.type"), scaling);
        metadata.real(key("rope.scaling.factor"), option_double(options, "factor"));
        if (scaling == "yarn")
            metadata.count(key("rope.scaling.original_context_length"), option_int(options, "original_length"));
    }

    [[nodiscard]] std::int64_t turned() const {
        const auto dim = option_int(theirs_.position.options, "dim");
        return dim > 0 ? dim : theirs_.model.head_size();
    }

    void frequency_factors() {
        const auto& options = theirs_.position.options;
        const GgufLlama3 scaling{option_double(options, "factor"), option_double(options, "low_freq_factor"),
                                 option_double(options, "high_freq_factor"), option_int(options, "original_length")};
        const double base = option_double(options, "base");
        std::vector<float> factors;
        for (std::int64_t pair = 0; pair < turned() / 2; ++pair) {
            const double frequency = std::pow(base, -2.0 * static_cast<double>(pair) / static_cast<double>(turned()));
            factors.push_back(static_cast<float>(gguf_llama3_factor(frequency, scaling)));
        }
        plan_.tensors.push_back({"rope_freqs.weight", {turned() / 2}, {}});
        plan_.given["rope_freqs.weight"] = std::move(factors);
        auto& metadata = plan_.metadata;
        const std::string own = kGgufOwnPrefix;
        metadata.real(own + kGgufFactor, scaling.factor);
        metadata.real(own + kGgufLowFactor, scaling.low);
        metadata.real(own + kGgufHighFactor, scaling.high);
        metadata.count(own + kGgufLength, scaling.length);
    }

    void activation() {
        const auto ours = theirs_.model.activation;
        if (ours != architecture_.activation)
            plan_.metadata.text(std::string(kGgufOwnPrefix) + kGgufActivation, name_of(ours));
        if (ours == Activation::gelu)
            plan_.notes.emplace_back(
                "llama.cpp computes the tanh form of gelu, from which this one differs by up to "
                "0.0005");
    }

    const GgufArchitecture& architecture_;
    const Config &theirs_, &ours_;
    const HfExportModel& model_;
    GgufExport plan_;
};

[[noreturn]] void refuse(const std::string& name, const Config& ours, std::vector<GgufFit> fits, bool asked) {
    // An architecture for other positions is no help, unless somebody asks for it.
    const auto other_positions = [](const GgufFit& fit) {
        return std::any_of(fit.in_the_way.begin(), fit.in_the_way.end(),
                           [](const std::string& text) { return text.starts_with("position.method"); });
    };
    if (!asked) std::erase_if(fits, other_positions);
    std::stable_sort(fits.begin(), fits.end(),
                     [](const GgufFit& a, const GgufFit& b) { return a.in_the_way.size() < b.in_the_way.size(); });
    if (fits.size() > kMostAnswers) fits.resize(kMostAnswers);
    std::vector<std::string> texts;
    texts.reserve(fits.size());
    for (const auto& fit : fits)
        texts.push_back(fmt::format("in the way of {} stands {}", fit.architecture->name, join(fit.in_the_way, ", ")));
    if (texts.empty()) texts.push_back("none has position.method: " + ours.position.method_names());
    throw CheckpointError(name + ": " +
                          (asked ? "the architecture does not compute what this model does: "
                                 : "no architecture of llama.cpp computes what this model does: ") +
                          join(texts, "; ") +
                          (asked ? ". Without --architecture the first that fits is taken"
                                 : ". longbow export hf --custom-code writes any model, for transformers"));
}

// The architectures, that of an imported model first.
std::vector<const GgufArchitecture*> candidates(const GgufExportRequest& request) {
    static const std::map<std::string, std::string> other_names = {{"gpt_neox", "gptneox"},
                                                                   {"mistral", "llama"},
                                                                   {"phi", "phi2"},
                                                                   {"RefinedWeb", "falcon"},
                                                                   {"RefinedWebModel", "falcon"}};
    const auto other = other_names.find(request.imported_as);
    const auto& first = other == other_names.end() ? request.imported_as : other->second;
    std::vector<const GgufArchitecture*> found;
    for (const auto& one : gguf_architecture_table()) {
        if (request.architecture.empty() || request.architecture == one.name) found.push_back(&one);
    }
    std::stable_partition(found.begin(), found.end(), [&](const auto* one) { return one->name == first; });
    return found;
}

}  // namespace

GgufExport plan_gguf_export(const HfExportModel& model, const GgufExportRequest& request, const std::string& name) {
    const auto ours = resolved_for_export(model.config);
    std::vector<GgufFit> fits;
    for (const auto* one : candidates(request)) {
        auto fit = fit_to_gguf(*one, ours);
        if (fit.in_the_way.empty()) return Planner(fit, model, ours).plan();
        fits.push_back(std::move(fit));
    }
    refuse(name, ours, std::move(fits), !request.architecture.empty());
}

}  // namespace longbow
