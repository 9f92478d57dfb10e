#include "longbow/text/hf_files.h"

#include "longbow/core/json_text.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"

namespace longbow {

namespace {

constexpr const char* kFile = "tokenizer.json";

std::string config_text(const Tokenizer& tokenizer, std::int64_t length) {
    const auto boundary = tokenizer.token_text(tokenizer.boundary());
    const Json config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                      {"bos_token", boundary},
                      {"eos_token", boundary},
                      {"unk_token", nullptr},
                      {"pad_token", nullptr},
                      {"clean_up_tokenization_spaces", false},
                      {"model_max_length", length}};
    return json_text(config, 2) + "\n";
}

}  // namespace

Json hf_added_token(TokenId id, const std::string& content) {
    return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
            {"rstrip", false}, {"normalized", false}, {"special", true}};
}

std::string hf_tokenizer_json(const HfPipeline& pipeline) {
    const Json json{{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", pipeline.added_tokens},
                    {"normalizer", pipeline.normalizer},
                    {"pre_tokenizer", pipeline.pre_tokenizer},
                    {"post_processor", pipeline.post_processor},
                    {"decoder", pipeline.decoder},
                    {"model", pipeline.model}};
    return json_text(json, 1) + "\n";
}

HfTokenizerFiles hf_tokenizer_files(const Tokenizer& tokenizer, std::int64_t length) {
    HfTokenizerFiles result;
    const auto own = tokenizer.files();
    for (const auto& kind : tokenizer_kinds()) {
        if (kind.name == tokenizer.kind() && kind.to_hf) result = kind.to_hf({own, "", parse_json(own.at(kMetaFile))});
    }
    if (const auto file = own.find(kFile); file != own.end()) result.files[kFile] = file->second;
    if (result.files.contains(kFile)) {
        result.files["tokenizer_config.json"] = config_text(tokenizer, length);
    } else if (result.reason.empty()) {
        result.reason = "tokenizer.json has no pipeline that gives the ids of the kind " + tokenizer.kind();
    }
    return result;
}

}  // namespace longbow
