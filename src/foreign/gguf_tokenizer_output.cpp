// Writes a tokenizer.json as the metadata of a GGUF file: the inverse of gguf_tokenizer.cpp. A file has no pipeline,
// but the name of a known one (tokenizer.ggml.pre), or SentencePiece's with scores instead of merges.
#include <algorithm>
#include <set>

#include "gguf_merges.h"
#include "gguf_tokenizer.h"
#include "longbow/core/error.h"
#include "longbow/foreign/gguf_export.h"

namespace longbow {

namespace {

using nlohmann::json;
using TokenType = GgufTokenType;

constexpr const char* kSpace = "\u2581";  // what stands for a space in pieces
constexpr const char* kLineNote =
    "the file's tokenizer puts a space in front of a text, longbow one in front of each of its lines";
constexpr const char* kSpaceNote =
    "the file's tokenizer puts a space in front of any text, longbow not in front of one that begins with a space";

struct Refusal {
    std::string reason;
};

// How a pipeline of SentencePiece treats spaces.
struct Pieces {
    bool prefix = false;  // a space is put in front
    bool exact = true;    // the order of merges is the file's, not that of scores
    const char* note = "";
};

json replaced(const json& pattern, const char* content) {
    return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

Pieces pieces_of(const json& file) {
    const auto normalizer = steps_of(file.value("normalizer", json()));
    const auto steps = steps_of(file.value("pre_tokenizer", json()));
    const json spaces = replaced({{"String", " "}}, kSpace);
    const auto split_behind = [](const char* text) {
        return json{
            {"type", "Split"}, {"pattern", {{"String", text}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
    };
    using Steps = std::vector<json>;
    if (normalizer == Steps{{{"type", "Prepend"}, {"prepend", kSpace}}, spaces} && steps.empty())
        return {.prefix = true};
    // No space is left that could be split behind.
    if (normalizer == Steps{spaces} && (steps.empty() || steps == Steps{split_behind(" ")})) return {};
    if (steps == Steps{split_behind("\n")}) {
        if (normalizer == Steps{spaces}) return {.exact = false};
        if (normalizer == Steps{spaces, replaced({{"Regex", "^"}}, kSpace)})
            return {.prefix = true, .exact = false, .note = kLineNote};
    }
    if (normalizer.empty() && steps.size() == 1 && steps[0].value("type", "") == "Metaspace" &&
        steps[0].value("replacement", "") == kSpace && !steps[0].value("split", true)) {
        const bool prefix = steps[0].value("prepend_scheme", "always") != "never";
        return {.prefix = prefix, .note = prefix ? kSpaceNote : ""};
    }
    throw Refusal{"GGUF has no name for its normalizer and pre-tokenizer"};
}

class Writer {
public:
    Writer(const json& file, const GgufTokenizerIds& ids)
        : file_(file), model_(file.at("model")), ids_(ids), texts_(static_cast<std::size_t>(ids.rows)) {
        if (const auto type = model_.value("type", "BPE"); type != "BPE")
            throw Refusal{"its model is of the type " + type + ", and files of llama.cpp are written with BPE alone"};
        types_.assign(texts_.size(), static_cast<std::int32_t>(TokenType::unused));
        add_tokens();
    }

    GgufTokenizer write() {
        if (model_.value("byte_fallback", false)) {
            pieces();
        } else {
            byte_level();
        }
        auto& metadata = result_.metadata;
        metadata.texts("tokenizer.ggml.tokens", texts_);
        if (!scores_.empty()) metadata.reals("tokenizer.ggml.scores", scores_);
        metadata.integers("tokenizer.ggml.token_type", types_);
        if (!merges_.empty()) metadata.texts("tokenizer.ggml.merges", merges_);
        metadata.count("tokenizer.ggml.bos_token_id", ids_.bos);
        metadata.count("tokenizer.ggml.eos_token_id", ids_.eos);
        metadata.flag("tokenizer.ggml.add_bos_token", ids_.begins);
        return std::move(result_);
    }

private:
    void add(std::int64_t id, const std::string& text, TokenType type) {
        if (id < 0 || id >= ids_.rows) throw Refusal{"it has more ids than the embedding has rows"};
        texts_[static_cast<std::size_t>(id)] = text;
        types_[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(type);
    }

    void add_tokens() {
        const auto& vocabulary = model_.at("vocab");
        for (const auto& [text, id] : vocabulary.items()) add(id.get<std::int64_t>(), text, TokenType::normal);
        // As the text room reads them: an added token has the id of its text in the vocabulary, or else the next one.
        auto next = static_cast<std::int64_t>(vocabulary.size());
        bool beside = false;  // conditions on the text around a token
        std::set<std::string> texts;
        for (const auto& token : file_.value("added_tokens", json::array())) {
            const auto text = token.at("content").get<std::string>();
            if (text.empty()) continue;
            const auto known = vocabulary.find(text);
            add(known != vocabulary.end() ? known->get<std::int64_t>() : next++, text,
                token.value("special", false) ? TokenType::control : TokenType::user_defined);
            for (const char* condition : {"single_word", "lstrip", "rstrip"})
                beside = beside || token.value(condition, false);
        }
        if (beside)
            result_.notes.emplace_back("the file's tokenizer knows no single_word, lstrip and rstrip of added tokens");
        for (const auto& text : texts_) texts.insert(text);
        for (std::size_t id = 0; id < texts_.size(); ++id) {
            if (types_[id] != static_cast<std::int32_t>(TokenType::unused)) continue;
            texts_[id] = "[PAD" + std::to_string(id) + "]";
            while (!texts.insert(texts_[id]).second) texts_[id] += "_";
        }
    }

    std::pair<std::string, std::string> merge_of(const json& merge) const {
        if (merge.is_array())
            return {merge.at(0).get_ref<const std::string&>(), merge.at(1).get_ref<const std::string&>()};
        const auto& text = merge.get_ref<const std::string&>();
        const auto space = text.find(' ', 1);
        return {text.substr(0, space), space == std::string::npos ? std::string() : text.substr(space + 1)};
    }

    void byte_level() {
        const auto* pre = gguf_pre_tokenizer_of(file_.value("normalizer", json()), file_.value("pre_tokenizer", json()),
                                                model_.value("ignore_merges", false));
        if (pre == nullptr) throw Refusal{"GGUF has no name for its normalizer and pre-tokenizer"};
        result_.name = std::string("gpt2, ") + pre->name;
        result_.metadata.text("tokenizer.ggml.model", "gpt2");
        result_.metadata.text("tokenizer.ggml.pre", pre->name);
        for (const auto& merge : model_.at("merges")) {
            auto [left, right] = merge_of(merge);
            if (left.find(' ') != std::string::npos || right.find(' ') != std::string::npos)
                throw Refusal{"a merge of tokens with spaces has no form in GGUF"};
            left += ' ';
            left += right;
            merges_.push_back(std::move(left));
        }
    }

    void pieces() {
        const auto form = pieces_of(file_);
        const auto unknown = model_.value("unk_token", json());
        std::size_t bytes = 0;
        for (std::size_t id = 0; id < texts_.size(); ++id) {
            const auto& text = texts_[id];
            const bool byte = text.size() == 6 && text.starts_with("<0x") && text.back() == '>';
            if (byte && types_[id] == static_cast<std::int32_t>(TokenType::normal)) {
                types_[id] = static_cast<std::int32_t>(TokenType::byte);
                ++bytes;
            }
            if (unknown.is_string() && text == unknown.get_ref<const std::string&>()) {
                types_[id] = static_cast<std::int32_t>(TokenType::unknown);
                result_.metadata.count("tokenizer.ggml.unknown_token_id", static_cast<std::int64_t>(id));
            }
        }
        if (bytes != 256) throw Refusal{"it has no tokens of all bytes, which llama.cpp takes for unknown characters"};
        score(form.exact);
        result_.name = "llama";
        result_.metadata.text("tokenizer.ggml.model", "llama");
        result_.metadata.text("tokenizer.ggml.pre", "default");
        result_.metadata.flag("tokenizer.ggml.add_space_prefix", form.prefix);
        if (*form.note != '\0') result_.notes.emplace_back(form.note);
    }

    // The better a piece's score, the earlier it is made. The merges that a reader derives must be the file's: all ways
    // to make a piece, one behind the other.
    void score(bool exact) {
        std::map<std::string, float> ranks;
        std::vector<std::pair<std::string, std::string>> merges;
        for (const auto& merge : model_.at("merges")) {
            merges.push_back(merge_of(merge));
            ranks.emplace(merges.back().first + merges.back().second, -static_cast<float>(merges.size()));
        }
        scores_.assign(texts_.size(), 0.0f);
        for (std::size_t id = 0; id < texts_.size(); ++id) {
            const auto rank = ranks.find(texts_[id]);
            if (rank != ranks.end()) scores_[id] = rank->second;
        }
        const auto derived = merges_by_score({texts_.begin(), texts_.end()}, {types_.begin(), types_.end()}, scores_);
        if (!derived || !alike(merges, *derived, exact))
            throw Refusal{"its merges are not those of SentencePiece's scores, which GGUF has instead"};
    }

    static bool alike(const std::vector<std::pair<std::string, std::string>>& merges,
                      const std::vector<std::pair<std::string_view, std::string_view>>& derived, bool exact) {
        if (merges.size() != derived.size()) return false;
        for (std::size_t i = 0; i < merges.size(); ++i) {
            const auto& [left, right] = merges[i];
            const auto& [other_left, other_right] = derived[i];
            const bool same = left == other_left && right == other_right;
            if (!same && (exact || left + right != std::string(other_left).append(other_right))) return false;
        }
        return true;
    }

    const json& file_;
    const json& model_;
    const GgufTokenizerIds& ids_;
    std::vector<std::string> texts_, merges_;
    std::vector<std::int32_t> types_;
    std::vector<float> scores_;
    GgufTokenizer result_;
};

}  // namespace

GgufTokenizer without_gguf_tokenizer(std::string reason) {
    GgufTokenizer result;
    result.metadata.text("tokenizer.ggml.model", "no_vocab");
    result.reason = std::move(reason);
    return result;
}

GgufTokenizer gguf_tokenizer(const std::string& tokenizer_json, const GgufTokenizerIds& ids) {
    try {
        // A map, since a vocabulary has too many keys for the list that Json is.
        return Writer(json::parse(tokenizer_json), ids).write();
    } catch (const Refusal& refusal) {
        return without_gguf_tokenizer(refusal.reason);
    } catch (const json::exception& error) {
        throw CheckpointError(std::string("the checkpoint's tokenizer.json is damaged: ") + error.what());
    }
}

}  // namespace longbow
