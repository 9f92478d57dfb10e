// Writes the tokenizer of a GGUF file as a tokenizer.json, which the text room reads.
#include "gguf_tokenizer.h"

#include <fmt/core.h>

#include <vector>

#include "gguf_file.h"
#include "gguf_merges.h"
#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/foreign/foreign_model.h"

namespace longbow {

namespace {

using TokenType = GgufTokenType;

constexpr std::uint64_t kMostTokens = 4194304;

std::string quoted(std::string_view text) { return json_text(Json(std::string(text))); }

class Tokens {
public:
    explicit Tokens(const GgufFile& file) : file_(file) {
        const auto* array = file.array("tokenizer.ggml.tokens");
        if (array == nullptr || array->count > kMostTokens) fail("it has no tokenizer.ggml.tokens");
        texts_ = array->texts(file.name + ": tokenizer.ggml.tokens");
        types_.assign(texts_.size(), static_cast<std::int64_t>(TokenType::normal));
        if (const auto* types = file.array("tokenizer.ggml.token_type")) {
            types_ = types->integers(file.name + ": tokenizer.ggml.token_type");
            if (types_.size() != texts_.size()) fail("tokenizer.ggml.token_type has another length than the tokens");
        }
    }

    [[nodiscard]] std::string json() const {
        const auto* model = file_.text("tokenizer.ggml.model");
        if (model == nullptr) fail("it has no tokenizer.ggml.model");
        if (*model == "gpt2") return byte_level();
        if (*model == "llama") return sentence_pieces();
        fail("its tokenizer " + quote_foreign(*model) + " is neither gpt2 nor llama");
    }

private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw CheckpointError(file_.name + ": " + reason + "; give a tokenizer.json with --tokenizer");
    }
    [[nodiscard]] bool is(std::size_t id, TokenType type) const {
        return types_[id] == static_cast<std::int64_t>(type);
    }

    [[nodiscard]] std::string vocabulary() const {
        std::string text;
        for (std::size_t id = 0; id < texts_.size(); ++id) {
            if (is(id, TokenType::unused)) continue;  // rows that fill the matrix up
            text += (text.empty() ? "" : ",") + quoted(texts_[id]) + ":" + std::to_string(id);
        }
        return "{" + text + "}";
    }
    [[nodiscard]] std::string added() const {
        std::string text;
        for (std::size_t id = 0; id < texts_.size(); ++id) {
            const bool special = is(id, TokenType::control) || is(id, TokenType::unknown);
            if (!special && !is(id, TokenType::user_defined)) continue;
            text += (text.empty() ? "" : ",") +
                    fmt::format(R"({{"id":{},"content":{},"single_word":false,"lstrip":false,"rstrip":false,)"
                                R"("normalized":false,"special":{}}})",
                                id, quoted(texts_[id]), special);
        }
        return "[" + text + "]";
    }
    // The post-processor that puts a BOS in front.
    [[nodiscard]] std::string around(bool otherwise) const {
        if (!file_.flag("tokenizer.ggml.add_bos_token").value_or(otherwise)) return "null";
        const auto id = file_.integer("tokenizer.ggml.bos_token_id");
        if (!id || *id < 0 || static_cast<std::size_t>(*id) >= texts_.size()) fail("it has no token for its BOS");
        const auto bos = quoted(texts_[static_cast<std::size_t>(*id)]);
        return fmt::format(
            R"({{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":{0},"type_id":0}}}},)"
            R"({{"Sequence":{{"id":"A","type_id":0}}}}],"pair":[{{"Sequence":{{"id":"A","type_id":0}}}},)"
            R"({{"Sequence":{{"id":"B","type_id":1}}}}],"special_tokens":{{{0}:{{"id":{0},"ids":[{1}],)"
            R"("tokens":[{0}]}}}}}})",
            bos, *id);
    }
    [[nodiscard]] std::string whole(const std::string& normalizer, const std::string& steps, const std::string& decoder,
                                    bool begins, const std::string& model) const {
        return fmt::format(R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":{},"normalizer":{},)"
                           R"("pre_tokenizer":{},"post_processor":{},"decoder":{},"model":{}}})",
                           added(), normalizer, steps, around(begins), decoder, model);
    }

    [[nodiscard]] std::string byte_level() const;
    [[nodiscard]] std::string sentence_pieces() const;
    [[nodiscard]] std::string merges() const;  // of pieces with scores

    const GgufFile& file_;
    std::vector<std::string_view> texts_;
    std::vector<std::int64_t> types_;
};

std::string Tokens::byte_level() const {
    const auto* name = file_.text("tokenizer.ggml.pre");
    const auto* pre = name == nullptr ? nullptr : gguf_pre_tokenizer(*name);
    if (pre == nullptr)
        fail("its tokenizer.ggml.pre " +
             (name == nullptr ? std::string("is missing") : quote_foreign(*name) + " is not known"));
    const auto* array = file_.array("tokenizer.ggml.merges");
    if (array == nullptr) fail("it has no tokenizer.ggml.merges");
    std::string merges;
    for (const auto merge : array->texts(file_.name + ": tokenizer.ggml.merges"))
        merges += (merges.empty() ? "" : ",") + quoted(merge);
    const std::string model =
        R"({"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
        R"("fuse_unk":false,"byte_fallback":false,"ignore_merges":)" +
        std::string(pre->ignore_merges ? "true" : "false") + ",\"vocab\":" + vocabulary() + ",\"merges\":[" + merges +
        "]}";
    return whole(pre->normalizer, pre->steps,
                 R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})", pre->begins,
                 model);
}

std::string Tokens::merges() const {
    const auto* array = file_.array("tokenizer.ggml.scores");
    if (array == nullptr) fail("it has no tokenizer.ggml.scores");
    const auto scores = array->reals(file_.name + ": tokenizer.ggml.scores");
    if (scores.size() != texts_.size()) fail("tokenizer.ggml.scores has another length than the tokens");
    const auto pairs = merges_by_score(texts_, types_, scores);
    if (!pairs) fail("a piece of its vocabulary is too long");
    std::string text;
    for (const auto& [left, right] : *pairs)
        text += (text.empty() ? "[" : ",[") + quoted(left) + "," + quoted(right) + "]";
    return text;
}

std::string Tokens::sentence_pieces() const {
    std::string unknown = "null";
    for (std::size_t id = 0; id < texts_.size() && unknown == "null"; ++id) {
        if (is(id, TokenType::unknown)) unknown = quoted(texts_[id]);
    }
    const std::string replace = R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})";
    const bool prefix = file_.flag("tokenizer.ggml.add_space_prefix").value_or(true);
    const std::string normalizer =
        prefix ? R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},)" + replace + "]}" : replace;
    const std::string decoder =
        R"({"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},)"
        R"({"type":"ByteFallback"},{"type":"Fuse"})" +
        std::string(prefix ? R"(,{"type":"Strip","content":" ","start":1,"stop":0})" : "") + "]}";
    const std::string model =
        R"({"type":"BPE","dropout":null,"unk_token":)" + unknown +
        R"(,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,)"
        R"("ignore_merges":false,"vocab":)" +
        vocabulary() + ",\"merges\":[" + merges() + "]}";
    return whole(normalizer, "null", decoder, true, model);
}

}  // namespace

std::string tokenizer_of(const GgufFile& file) { return Tokens(file).json(); }

std::string read_gguf_tokenizer(const std::filesystem::path& path) { return tokenizer_of(GgufFile::open(path)); }

}  // namespace longbow
