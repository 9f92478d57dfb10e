#include "longbow/foreign/hf_export.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "export_values.h"
#include "hf_class.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::size_t kMostAnswers = 3;  // classes that a refusal speaks of

// Learned positions whose table begins with unused rows there and not here.
TensorRule with_first_rows(TensorRule rule, const Config& ours, const Config& theirs) {
    const auto offset = [](const Config& config) {
        const auto found = config.position.options.find("offset");
        return found == config.position.options.end() ? std::int64_t{0} : std::get<std::int64_t>(found->second);
    };
    const auto more = offset(theirs) - (has_position(ours, "learned") ? offset(ours) : offset(theirs));
    if (more > 0 && rule.ours == std::string("position.weight")) {
        rule.sizes[0] -= more;
        rule.offset += more * rule.strides[0];
    }
    return rule;
}

class Planner {
public:
    Planner(const HfClass& one, const HfExportModel& model, const Config& ours, const Config& theirs)
        : class_(one), model_(model), ours_(ours), theirs_(theirs) {}

    HfExport plan() {
        plan_.type = class_.name;
        plan_.class_name = class_.class_name;
        tensors();
        embedding();
        change_norms(ours_.model, theirs_.model, plan_.tensors, plan_.changes, plan_.notes);
        change_pairs(ours_, theirs_, plan_.changes);
        config();
        return std::move(plan_);
    }

private:
    void tensors() {
        HfSettings settings;
        settings.config = theirs_;
        settings.vocab_size = model_.vocab_size;
        const auto width = theirs_.model.token_dim();
        TensorRules rules;
        rules.whole("embed.tokens.weight", class_.embedding, {model_.vocab_size, width});
        class_.place(settings, rules);
        if (!theirs_.model.tie_output)
            rules.whole("head.weight", class_.head, {model_.vocab_size, width}, /*prefixed=*/false);
        for (const auto& rule : rules.all()) add(with_first_rows(rule, ours_, theirs_));
    }

    void add(const TensorRule& rule) {
        const auto name = (rule.prefixed ? class_.prefix : "") + rule.theirs;
        auto place = std::find_if(plan_.tensors.begin(), plan_.tensors.end(),
                                  [&](const ExportedTensor& tensor) { return tensor.name == name; });
        if (place == plan_.tensors.end()) place = plan_.tensors.insert(place, {name, rule.theirs_shape, {}});
        place->parts.push_back({rule.ours, rule.offset, rule.sizes, rule.strides});
        plan_.constants[rule.ours] = is_norm_weight(rule.ours) ? one_of_norm(theirs_.model.norm) : 0.0;
    }

    // A factor that the class does not have goes into the matrix of an embedding that is not the output's too.
    void embedding() {
        const bool ours = scales_embedding(ours_.model.embedding_scale);
        const bool theirs = scales_embedding(theirs_.model.embedding_scale);
        if (ours == theirs) return;
        const double root = std::sqrt(static_cast<double>(ours_.model.dim));
        plan_.changes["embed.tokens.weight"].factor = ours ? root : 1.0 / root;
        plan_.notes.push_back(ours ? "the embedding is multiplied by sqrt(dim), which rounds its last bit"
                                   : "the embedding is divided by sqrt(dim), which rounds its last bit");
    }

    void config() {
        auto& json = plan_.config;
        json = {{"architectures", {class_.class_name}}, {"model_type", class_.name},
                {"vocab_size", model_.vocab_size},      {"tie_word_embeddings", theirs_.model.tie_output},
                {"bos_token_id", model_.boundary},      {"eos_token_id", model_.boundary}};
        class_.describe(theirs_, json);
    }

    const HfClass& class_;
    const HfExportModel& model_;
    const Config &ours_, &theirs_;
    HfExport plan_;
};

struct Answer {
    const HfClass* one;
    std::vector<std::string> in_the_way;
};

[[noreturn]] void refuse(const std::string& name, const Config& ours, std::vector<Answer> answers) {
    // A class for other positions is no help to anybody.
    const auto other_positions = [](const Answer& answer) {
        return std::any_of(answer.in_the_way.begin(), answer.in_the_way.end(),
                           [](const std::string& text) { return text.starts_with("position.method"); });
    };
    std::erase_if(answers, other_positions);
    std::stable_sort(answers.begin(), answers.end(),
                     [](const Answer& a, const Answer& b) { return a.in_the_way.size() < b.in_the_way.size(); });
    if (answers.size() > kMostAnswers) answers.resize(kMostAnswers);
    std::vector<std::string> texts;
    for (const auto& [one, in_the_way] : answers)
        texts.push_back("in the way of " + one->class_name + " stands " + join(in_the_way, ", "));
    if (texts.empty()) texts.push_back("none has position.method: " + ours.position.method_names());
    throw CheckpointError(name + ": no class of transformers computes exactly what this model does: " +
                          join(texts, "; ") + ". --custom-code writes a small class of its own beside the weights");
}

}  // namespace

HfExport plan_hf_export(const HfExportModel& model, const std::string& name) {
    const auto ours = resolved_for_export(model.config);
    std::vector<Answer> answers;
    for (const auto* one : hf_classes_in_order()) {
        auto theirs = usual_model(ours);
        one->settle(ours, theirs);
        auto in_the_way = differences_from_class(ours, theirs);
        if (in_the_way.empty()) return Planner(*one, model, ours, theirs).plan();
        answers.push_back({one, std::move(in_the_way)});
    }
    refuse(name, ours, std::move(answers));
}

namespace {

Json options_json(const OptionMap& options) {
    Json json = Json::object();
    for (const auto& [key, value] : options) json[key] = std::visit([](const auto& one) { return Json(one); }, value);
    return json;
}

Json position_json(const PositionConfig& position) {
    Json layers = Json::array();
    for (const auto& layer : position.layers)
        layers.push_back(
            Json{{"method", layer.method}, {"window", layer.window}, {"options", options_json(layer.options)}});
    return {{"method", position.method},
            {"window", position.window},
            {"options", options_json(position.options)},
            {"layers", std::move(layers)}};
}

// The position methods of positions_longbow.py, each with the options that it reads or that matter to training alone.
const std::map<std::string, std::set<std::string>>& own_code_positions() {
    static const auto positions = [] {
        std::map<std::string, std::set<std::string>> all = {{"none", {}},
                                                            {"sinusoidal", {}},
                                                            {"learned", {"max_length", "offset"}},
                                                            {"rotary", kRotaryOptions},
                                                            {"alibi", kAlibiOptions},
                                                            {"t5", {"buckets", "max_distance", "shared", "init"}},
                                                            {"kerple", {"kernel", "shared"}},
                                                            {"sandwich", {"dim"}}};
        all["rotary"].insert("share");
        return all;
    }();
    return positions;
}

void check_own_code(const std::string& method, const OptionMap& options, const std::string& name) {
    const auto known = own_code_positions().find(method);
    if (known == own_code_positions().end()) {
        throw CheckpointError(name + ": the code that --custom-code writes does not have position.method: " + method);
    }
    PositionConfig set;
    set.method = method;
    set.options = options;
    reset_other_options(set, known->second);
    for (const auto& [key, value] : options) {
        if (set.options.at(key) != value)
            throw CheckpointError(name + ": the code that --custom-code writes does not have position." + key +
                                  " of position.method: " + method);
    }
}

}  // namespace

Json custom_code_config(const HfExportModel& model, const Json& settings, const std::string& name) {
    const auto resolved = resolved_for_export(model.config);
    const auto& position = resolved.position;
    if (position.layers.empty()) check_own_code(position.method, position.options, name);
    for (const auto& layer : position.layers) check_own_code(layer.method, layer.options, name);
    Json json{{"architectures", {"LongbowForCausalLM"}},
              {"model_type", "longbow"},
              {"auto_map",
               {{"AutoConfig", "configuration_longbow.LongbowConfig"},
                {"AutoModelForCausalLM", "modeling_longbow.LongbowForCausalLM"}}},
              {"vocab_size", model.vocab_size},
              {"hidden_size", resolved.model.dim},
              {"num_attention_heads", resolved.model.heads},
              {"num_hidden_layers", resolved.model.layers},
              {"tie_word_embeddings", resolved.model.tie_output},
              {"bos_token_id", model.boundary},
              {"eos_token_id", model.boundary},
              {"use_cache", false},
              {"train_length", resolved.train.length}};
    json["longbow"] = {{"model", settings.at("model")}, {"position", position_json(resolved.position)}};
    return json;
}

}  // namespace longbow
