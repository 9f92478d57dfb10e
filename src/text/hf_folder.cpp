#include "longbow/text/hf_folder.h"

#include <algorithm>
#include <map>
#include <vector>

#include "bpe_tokenizer.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/text/hf_files.h"
#include "meta.h"
#include "sentencepiece_tokenizer.h"

namespace longbow {

namespace {

constexpr std::uintmax_t kLargestSettings = std::uintmax_t{4} << 20;  // bytes
constexpr const char* kSettings[] = {"special_tokens_map.json", "tokenizer_config.json"};

// A token that settings name: a text, or {"content": ..} with how it is looked for.
struct NamedToken {
    std::string content;
    Json flags = Json::object();
    std::uint64_t id = UINT64_MAX;  // UINT64_MAX: the vocabulary's, or the next one
};

class Settings {
public:
    explicit Settings(const fs::path& folder) {
        for (const char* name : kSettings) read(folder / name, files_[name]);
        read(folder / "added_tokens.json", added_);
    }

    [[nodiscard]] bool none() const { return files_.at(kSettings[0]).empty() && files_.at(kSettings[1]).empty(); }

    // The text of a special token, such as bos_token; empty where no file names one.
    [[nodiscard]] std::string special(const char* key) const {
        for (const auto& [_, settings] : files_) {
            const auto found = settings.find(key);
            if (found == settings.end()) continue;
            if (auto token = named(*found); !token.content.empty()) return token.content;
        }
        return {};
    }

    [[nodiscard]] bool begins(bool otherwise) const {
        const auto& settings = files_.at("tokenizer_config.json");
        const auto found = settings.find("add_bos_token");
        return found != settings.end() && found->is_boolean() ? found->get<bool>() : otherwise;
    }

    // Every token that the files name, once each, those that have an id first and in that order.
    [[nodiscard]] std::vector<NamedToken> tokens() const {
        std::vector<NamedToken> all;
        const auto add = [&](NamedToken token) {
            const auto same = [&](const NamedToken& other) { return other.content == token.content; };
            if (!token.content.empty() && std::none_of(all.begin(), all.end(), same)) all.push_back(std::move(token));
        };
        const auto& settings = files_.at("tokenizer_config.json");
        if (const auto listed = settings.find("added_tokens_decoder");
            listed != settings.end() && listed->is_object()) {
            for (const auto& [id, token] : listed->items()) {
                auto one = named(token);
                if (!id.empty() && id.size() < 10 && id.find_first_not_of("0123456789") == std::string::npos)
                    one.id = std::stoull(id);
                if (!one.flags.contains("special")) one.flags["special"] = false;
                add(std::move(one));
            }
        }
        for (const auto& [content, id] : added_.items()) {
            NamedToken one{.content = content};
            if (id.is_number_unsigned()) one.id = id.get<std::uint64_t>();
            // Those that are special are named elsewhere, too.
            one.flags["special"] = is_special(content);
            add(std::move(one));
        }
        for (const auto& [_, one] : files_) {
            for (const char* key : kSpecials) {
                if (one.contains(key)) add(named(one[key]));
            }
            const auto more = one.find("additional_special_tokens");
            for (const auto& token : more != one.end() && more->is_array() ? *more : Json::array()) add(named(token));
        }
        std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
        return all;
    }

private:
    static constexpr const char* kSpecials[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                "pad_token", "cls_token", "mask_token"};

    static void read(const fs::path& path, Json& json) {
        json = Json::object();
        std::error_code error;
        if (!fs::is_regular_file(path, error)) return;
        if (fs::file_size(path, error) > kLargestSettings)
            throw DataError(path.string() + ": it is too long for a file of special tokens");
        json = parse_json(read_vocabulary(path));
        if (!json.is_object()) throw DataError(path.string() + ": it is not a JSON object");
    }

    static NamedToken named(const Json& json) {
        NamedToken token;
        if (json.is_string()) token.content = json.get<std::string>();
        const auto content = json.is_object() ? json.find("content") : json.end();
        if (!json.is_object() || content == json.end() || !content->is_string()) return token;
        token.content = content->get<std::string>();
        for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
            if (const auto found = json.find(flag); found != json.end() && found->is_boolean())
                token.flags[flag] = found->get<bool>();
        }
        return token;
    }

    [[nodiscard]] bool is_special(const std::string& content) const {
        for (const auto& [_, settings] : files_) {
            for (const char* key : kSpecials) {
                if (settings.contains(key) && named(settings[key]).content == content) return true;
            }
        }
        return false;
    }

    std::map<std::string, Json> files_;
    Json added_;
};

// The post-processor that puts a BOS in front of a text.
Json begin_with(const std::string& bos, TokenId id) {
    const auto piece = [](const char* kind, const std::string& name, int type) {
        return Json{{kind, {{"id", name}, {"type_id", type}}}};
    };
    Json special = Json::object();
    special[bos] = {{"id", bos}, {"ids", Json::array({id})}, {"tokens", Json::array({bos})}};
    return {{"type", "TemplateProcessing"},
            {"single", Json::array({piece("SpecialToken", bos, 0), piece("Sequence", "A", 0)})},
            {"pair", Json::array({piece("SpecialToken", bos, 0), piece("Sequence", "A", 0),
                                  piece("SpecialToken", bos, 1), piece("Sequence", "B", 1)})},
            {"special_tokens", std::move(special)}};
}

// Adds the tokens that the settings name to those that the pipeline has, and its BOS.
std::string finish(HfPipeline pipeline, const Settings& settings, bool begins, const std::string& usual_bos) {
    std::map<std::string, TokenId> ids;
    for (const auto& token : pipeline.added_tokens) ids[token["content"]] = token["id"];
    std::map<std::string, TokenId> vocabulary;
    for (const auto& [text, id] : pipeline.model["vocab"].items()) vocabulary[text] = id;
    auto next = static_cast<TokenId>(vocabulary.size());
    for (const auto& token : settings.tokens()) {
        if (ids.contains(token.content)) continue;
        const auto known = vocabulary.find(token.content);
        const auto id = known != vocabulary.end() ? known->second : next++;
        auto entry = hf_added_token(id, token.content);
        for (const auto& [flag, value] : token.flags.items()) entry[flag] = value;
        pipeline.added_tokens.push_back(std::move(entry));
        ids[token.content] = id;
    }
    auto bos = settings.special("bos_token");
    if (bos.empty()) bos = usual_bos;
    if (const auto found = ids.find(bos); settings.begins(begins) && found != ids.end())
        pipeline.post_processor = begin_with(bos, found->second);
    return hf_tokenizer_json(pipeline);
}

}  // namespace

std::optional<std::string> old_tokenizer_json(const std::filesystem::path& folder) {
    const Settings settings(folder);
    std::error_code error;
    if (const auto file = folder / "tokenizer.model"; fs::exists(file, error)) {
        const auto bytes = read_file(file);
        const SentencePieceTokenizer checked(bytes, file.string());
        auto pipeline = sentencepiece_pipeline(bytes);
        if (!pipeline) return std::nullopt;
        return finish(std::move(*pipeline), settings, /*begins=*/true, "<s>");
    }
    if (settings.none()) return std::nullopt;
    const auto vocab = folder / "vocab.json", merges = folder / "merges.txt";
    const auto model = parse_bpe(read_vocabulary(vocab), vocab.string(), read_vocabulary(merges), merges.string());
    return finish(bpe_pipeline(model), settings, /*begins=*/false, std::string(kEndOfText));
}

}  // namespace longbow
