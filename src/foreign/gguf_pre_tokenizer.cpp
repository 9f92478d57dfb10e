// A GGUF file names its pre-tokenizer only; the patterns are those of the tokenizer.json that the name stands for.
#include "gguf_tokenizer.h"

namespace longbow {

namespace {

constexpr const char* kNfc = R"({"type": "NFC"})";
constexpr const char* kNone = "null";

constexpr const char* kGpt2 =
    R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})";
constexpr const char* kSingleDigits =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]})";
constexpr const char* kLlama3 =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "invert": false, "pattern":
        {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]})";
constexpr const char* kQwen2 =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "invert": false, "pattern":
        {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]})";
constexpr const char* kFalcon =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Contiguous"},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        {"type": "Digits", "individual_digits": false},
        {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": false}]})";
constexpr const char* kBloom =
    R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "invert": false,
        "pattern": {"Regex": " ?[^(\\s|[.,!?…。，、।۔،])]+"}},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]})";

constexpr GgufPreTokenizer kKnown[] = {{"gpt-2", kNone, kGpt2},
                                       {"phi-2", kNone, kGpt2},
                                       {"mpt", kNfc, kGpt2},
                                       {"olmo", kNfc, kGpt2},
                                       {"smollm", kNone, kSingleDigits},
                                       {"starcoder", kNone, kSingleDigits},
                                       {"refact", kNone, kSingleDigits},
                                       {"llama-bpe", kNone, kLlama3, true, true},
                                       {"llama3", kNone, kLlama3, true, true},
                                       {"llama-v3", kNone, kLlama3, true, true},
                                       {"qwen2", kNfc, kQwen2},
                                       {"falcon", kNone, kFalcon},
                                       {"bloom", kNone, kBloom}};

}  // namespace

const GgufPreTokenizer* gguf_pre_tokenizer(const std::string& name) {
    for (const auto& known : kKnown) {
        if (name == known.name) return &known;
    }
    return nullptr;
}

namespace {

void add_steps(const nlohmann::json& part, std::vector<nlohmann::json>& steps) {
    if (!part.is_object()) return;
    const auto type = part.value("type", std::string());
    for (const char* list : {"pretokenizers", "normalizers"}) {
        if (type != "Sequence" || !part.contains(list)) continue;
        for (const auto& one : part.at(list)) add_steps(one, steps);
        return;
    }
    auto step = part;
    const auto otherwise = [&](const char* key, const nlohmann::json& value) {
        if (!step.contains(key)) step[key] = value;
    };
    if (type == "ByteLevel") {
        step.erase("trim_offsets");
        otherwise("add_prefix_space", true);
        otherwise("use_regex", true);
    } else if (type == "Digits") {
        otherwise("individual_digits", false);
    } else if (type == "Split") {
        otherwise("invert", false);
    } else if (type == "Punctuation") {
        otherwise("behavior", "Isolated");
    }
    steps.push_back(std::move(step));
}

}  // namespace

std::vector<nlohmann::json> steps_of(const nlohmann::json& part) {
    std::vector<nlohmann::json> steps;
    add_steps(part, steps);
    return steps;
}

const GgufPreTokenizer* gguf_pre_tokenizer_of(const nlohmann::json& normalizer, const nlohmann::json& pre_tokenizer,
                                              bool ignore_merges) {
    const auto first = steps_of(normalizer), second = steps_of(pre_tokenizer);
    for (const auto& known : kKnown) {
        if (known.ignore_merges == ignore_merges && steps_of(nlohmann::json::parse(known.normalizer)) == first &&
            steps_of(nlohmann::json::parse(known.steps)) == second)
            return &known;
    }
    return nullptr;
}

}  // namespace longbow
