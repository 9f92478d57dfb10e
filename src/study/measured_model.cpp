#include "measured_model.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/data/manifest.h"
#include "longbow/eval/measured_run.h"
#include "longbow/grid/cost.h"
#include "longbow/model/language_model.h"

namespace longbow {

namespace {

constexpr double kAssumedTokens = 250000;  // of a split that is not there yet
constexpr double kAssumedBytes = 3.5;      // of text for each token

void check_same_weights(const LanguageModel& trained, const LanguageModel& measured, const StudyVariant& variant) {
    const auto shapes = [](const LanguageModel& model) {
        std::vector<std::pair<std::string, std::vector<std::int64_t>>> list;
        for (const auto& tensor : model.stored_tensors()) list.emplace_back(tensor.name, tensor.tensor.sizes().vec());
        return list;
    };
    if (shapes(trained) != shapes(measured)) {
        throw ConfigError(variant.at_evaluation.front() +
                          ": the weights of the trained model do not fit; an evaluation may change what leaves "
                          "their names and shapes: make it a setting of the training");
    }
}

MeasuredModel facts_of(const LanguageModel& model) {
    MeasuredModel facts;
    facts.max_length = model.position().max_length();
    for (std::int64_t layer = 0; layer < model.config().model.layers; ++layer)
        facts.attends = facts.attends || model.position().attends(layer);
    return facts;
}

}  // namespace

MeasuredModel measured_model(const StudyVariant& variant, const ConfigContext& context) {
    const auto vocab_size = assumed_vocab_size(variant.config);
    const auto trained = make_meta_model(variant.config, vocab_size);
    if (variant.at_evaluation.empty()) return facts_of(*trained);
    auto words = variant.at_evaluation;
    take_overrides(words);
    if (!words.empty())
        throw ConfigError(words.front() + ": an evaluation may override position.* and attention.* only");
    const auto changed =
        load_config({{}, variant.at_evaluation, config_json(variant.config, context), "the trained model"}, context);
    const auto measured = make_meta_model(changed, vocab_size);
    check_same_weights(*trained, *measured, variant);
    return facts_of(*measured);
}

std::vector<std::int64_t> in_tokens(std::vector<std::int64_t> lengths, const std::vector<double>& multiples,
                                    std::int64_t train_length) {
    for (const auto multiple : multiples) {
        const double length = multiple * static_cast<double>(train_length);
        lengths.push_back(std::max<std::int64_t>(1, std::llround(std::floor(length + 1e-9))));
    }
    return lengths;
}

double split_tokens(const Config& config, const std::string& split) {
    const auto manifest = fs::path(config.data.store) / kManifestFile;
    if (fs::exists(manifest)) {
        const auto name = manifest.string();
        const auto store = parse_manifest(read_manifest_json(read_file(manifest), name), name);
        for (const auto& one : store.splits) {
            if (one.name == split) return static_cast<double>(one.tokens);
        }
    }
    double bytes = 0;
    for (const auto& file : split == "test" ? config.data.test : config.data.valid) {
        std::error_code error;
        const auto size = fs::file_size(file, error);
        if (!error) bytes += static_cast<double>(size);
    }
    return bytes > 0 ? bytes / kAssumedBytes : kAssumedTokens;
}

}  // namespace longbow
