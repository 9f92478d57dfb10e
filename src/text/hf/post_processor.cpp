#include "post_processor.h"

namespace longbow::hf {

namespace {

constexpr int kDeepest = 8;
constexpr std::int64_t kMostIds = 0xFFFFFFFE;

void put_around(PostProcessor& result, const std::vector<TokenId>& before, const std::vector<TokenId>& after) {
    result.prefix.insert(result.prefix.begin(), before.begin(), before.end());
    result.suffix.insert(result.suffix.end(), after.begin(), after.end());
}

// The template of a single text: special tokens, and the text once.
void read_template(Component& part, PostProcessor& result) {
    auto tokens = part.object("special_tokens");
    std::vector<TokenId> sides[2];
    int texts = 0;
    for (auto& piece : part.objects("single")) {
        if (auto sequence = piece.object("Sequence")) {
            if (sequence->text("id") != "A" || ++texts > 1) piece.refuse("the text itself was expected once");
            continue;
        }
        auto special = piece.object("SpecialToken");
        if (!special) piece.refuse("a SpecialToken or a Sequence was expected");
        auto token = tokens ? tokens->object(special->text("id")) : std::nullopt;
        if (!token) special->refuse("special_tokens has no such token");
        const auto* ids = token->find("ids");
        if (ids == nullptr || !ids->is_array()) token->refuse("ids: a list was expected");
        for (const auto& id : *ids) {
            if (!id.is_number_unsigned() || id.get<std::uint64_t>() > kMostIds)
                token->refuse("ids: a number was expected");
            sides[texts].push_back(id.get<TokenId>());
        }
    }
    if (texts != 1) part.refuse("single: it has no place for the text");
    part.ignore("pair");
    put_around(result, sides[0], sides[1]);
}

// ["</s>", 2]
TokenId read_pair(Component& part, const std::string& key) {
    const auto* pair = part.find(key);
    const bool whole = pair != nullptr && pair->is_array() && pair->size() == 2 && pair->at(0).is_string() &&
                       pair->at(1).is_number_unsigned() && pair->at(1).get<std::uint64_t>() <= kMostIds;
    if (!whole) part.refuse(key + ": a token and its id were expected");
    return pair->at(1).get<TokenId>();
}

void read(Component part, PostProcessor& result, int depth) {
    const auto& type = part.type();
    if (type == "Sequence") {
        if (depth == kDeepest) part.refuse("sequences are nested too deep");
        for (const auto& each : part.objects("processors")) read(each, result, depth + 1);
    } else if (type == "TemplateProcessing") {
        read_template(part, result);
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
        const auto before = read_pair(part, "cls");
        put_around(result, {before}, {read_pair(part, "sep")});
        for (const auto* key : {"trim_offsets", "add_prefix_space"}) part.ignore(key);
    } else if (type == "ByteLevel") {
        for (const auto* key : {"add_prefix_space", "trim_offsets", "use_regex"}) part.ignore(key);
    } else {
        part.refuse_type({"BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"});
    }
    part.check_all_read();
}

}  // namespace

PostProcessor read_post_processor(std::optional<Component> component) {
    PostProcessor result;
    if (component) read(*component, result, 0);
    return result;
}

}  // namespace longbow::hf
