// Writes a sentencepiece model as a pipeline of `tokenizers`.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"
#include "protobuf_fields.h"
#include "sentencepiece_tokenizer.h"

namespace longbow {

namespace {

constexpr const char* kSpace = "\u2581";  // what stands for a space in pieces

// Of sentencepiece_model.proto (google/sentencepiece), the parts that are read.
struct Piece {
    enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
    std::string text;
    float score = 0;
    Type type = Type::normal;
};

struct Model {
    enum class Type { unigram = 1, bpe = 2 };
    std::vector<Piece> pieces;
    std::uint64_t type = 1;
    bool suffix = false;     // the space stands behind a word
    std::string characters;  // rules of normalization
    bool space_in_front = true, fewer_spaces = true, escaped_spaces = true;
};

Piece read_piece(std::string_view message) {
    Piece piece;
    for_each_protobuf_field(message, [&](const ProtobufField& field) {
        if (field.number == 1) piece.text = field.bytes;
        if (field.number == 2) piece.score = field.real;
        if (field.number == 3) piece.type = static_cast<Piece::Type>(field.whole);
    });
    return piece;
}

Model read_model(const std::string& bytes) {
    Model model;
    for_each_protobuf_field(bytes, [&](const ProtobufField& part) {
        if (part.number == 1) model.pieces.push_back(read_piece(part.bytes));
        if (part.number != 2 && part.number != 3) return;
        for_each_protobuf_field(part.bytes, [&](const ProtobufField& field) {
            if (part.number == 2) {  // how it was trained
                if (field.number == 3) model.type = field.whole;
                if (field.number == 24) model.suffix = field.whole != 0;
            } else {  // how a text is normalized
                if (field.number == 2) model.characters = field.bytes;
                if (field.number == 3) model.space_in_front = field.whole != 0;
                if (field.number == 4) model.fewer_spaces = field.whole != 0;
                if (field.number == 5) model.escaped_spaces = field.whole != 0;
            }
        });
    });
    return model;
}

// Why no pipeline is written; empty: one is.
std::string objection(const Model& model) {
    if (!model.characters.empty()) return "the model normalizes characters by a table of its own";
    if (model.fewer_spaces) return "the model removes spaces";
    if (model.suffix) return "the model puts a space behind each word";
    if (!model.escaped_spaces) return "the model does not mark spaces";
    for (const auto& piece : model.pieces) {
        if (piece.type == Piece::Type::user_defined) return "the model has symbols that its user defined";
        if (piece.type == Piece::Type::unused) return "the model has pieces that it does not use";
    }
    const auto known = [&](Model::Type type) { return model.type == static_cast<std::uint64_t>(type); };
    if (!known(Model::Type::unigram) && !known(Model::Type::bpe)) return "the model is one of words or characters";
    return {};
}

bool is_text(const Piece& piece) { return piece.type == Piece::Type::normal; }

// Merges in the order of the pieces that they make: the library merges the neighbours whose piece has the best score.
Json merges_of(const std::vector<Piece>& pieces) {
    std::map<std::string, std::size_t> ids;
    for (std::size_t id = 0; id < pieces.size(); ++id) {
        if (is_text(pieces[id])) ids.emplace(pieces[id].text, id);
    }
    std::vector<std::tuple<float, std::size_t, std::size_t, std::size_t>> found;  // -score, piece, left, right
    for (std::size_t id = 0; id < pieces.size(); ++id) {
        if (!is_text(pieces[id])) continue;
        const std::string& text = pieces[id].text;
        for (std::size_t cut = 1; cut < text.size(); ++cut) {
            if ((text[cut] & 0xC0) == 0x80) continue;
            const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
            if (left != ids.end() && right != ids.end())
                found.emplace_back(-pieces[id].score, id, left->second, right->second);
        }
    }
    std::sort(found.begin(), found.end());
    Json merges = Json::array();
    for (const auto& [score, piece, left, right] : found)
        merges.push_back(pieces[left].text + " " + pieces[right].text);
    return merges;
}

Json model_json(const Model& model) {
    const auto& pieces = model.pieces;
    std::size_t unknown = 0;
    bool bytes = false;
    for (std::size_t id = 0; id < pieces.size(); ++id) {
        if (pieces[id].type == Piece::Type::unknown) unknown = id;
        bytes = bytes || pieces[id].type == Piece::Type::byte;
    }
    if (model.type == static_cast<std::uint64_t>(Model::Type::unigram)) {
        Json vocab = Json::array();
        for (const auto& piece : pieces) vocab.push_back({piece.text, piece.score});
        return {{"type", "Unigram"}, {"unk_id", unknown}, {"vocab", std::move(vocab)}, {"byte_fallback", bytes}};
    }
    Json::object_t vocab;
    // Setting a key looks for it in all that are there, and the library has checked that pieces differ.
    for (std::size_t id = 0; id < pieces.size(); ++id)
        static_cast<Json::object_t::Container&>(vocab).emplace_back(pieces[id].text, id);
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", pieces[unknown].text},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", true},
            {"byte_fallback", bytes},
            {"ignore_merges", false},
            {"vocab", std::move(vocab)},
            {"merges", merges_of(pieces)}};
}

// The special tokens, the decoder and the model: all but what becomes of the text before.
HfPipeline without_steps(const Model& model) {
    HfPipeline pipeline;
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
        const auto& [text, score, type] = model.pieces[id];
        if (type == Piece::Type::control || type == Piece::Type::unknown)
            pipeline.added_tokens.push_back(hf_added_token(static_cast<TokenId>(id), text));
    }
    Json decoders = Json::array();
    decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}});
    decoders.push_back({{"type", "ByteFallback"}});
    decoders.push_back({{"type", "Fuse"}});
    if (model.space_in_front) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    pipeline.decoder = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
    pipeline.model = model_json(model);
    return pipeline;
}

}  // namespace

std::optional<HfPipeline> sentencepiece_pipeline(const std::string& bytes) {
    const auto model = read_model(bytes);
    if (!objection(model).empty() || model.type != static_cast<std::uint64_t>(Model::Type::bpe)) return std::nullopt;
    auto pipeline = without_steps(model);
    Json steps = Json::array();
    if (model.space_in_front) steps.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}});
    pipeline.normalizer = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
    return pipeline;
}

HfTokenizerFiles sentencepiece_to_hf(const StoredTokenizer& stored) {
    const auto& bytes = stored.file("tokenizer.model");
    HfTokenizerFiles result;
    result.files["tokenizer.model"] = bytes;
    const auto model = read_model(bytes);
    result.reason = objection(model);
    if (!result.reason.empty()) {
        result.reason += ", which tokenizer.json is not written for; tokenizer.model is there";
        return result;
    }
    auto pipeline = without_steps(model);
    std::string specials;
    for (const auto& token : pipeline.added_tokens)
        specials += (specials.empty() ? "" : ", ") + token["content"].get<std::string>();
    Json steps = Json::array();
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}});
    // `^` is the begin of each line, but not behind the last newline.
    if (model.space_in_front)
        steps.push_back({{"type", "Replace"}, {"pattern", {{"Regex", "^"}}}, {"content", kSpace}});
    pipeline.normalizer = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
    pipeline.pre_tokenizer = {
        {"type", "Split"}, {"pattern", {{"String", "\n"}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
    result.files["tokenizer.json"] = hf_tokenizer_json(pipeline);
    result.notes = {"the texts " + specials + " and <0x..> in a document are tokens there, and text in longbow",
                    "decoding there leaves the space that stands before each line but the first"};
    return result;
}

}  // namespace longbow
