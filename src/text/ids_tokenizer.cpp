#include "longbow/text/ids_tokenizer.h"

#include "longbow/text/tokenizer_kind.h"
#include "meta.h"

namespace longbow {

namespace {

constexpr const char* kKind = "given_ids";

[[noreturn]] void refuse_text() {
    throw DataError(
        "this model has no tokenizer and knows no text, because it was imported with --no-tokenizer or trained on a "
        "task: score ids with `longbow eval --ids FILE.npy`, or a task with `longbow probe tasks`");
}

class IdsTokenizer final : public Tokenizer {
public:
    IdsTokenizer(std::int64_t vocab_size, TokenId boundary) : vocab_size_(vocab_size), boundary_(boundary) {}
    [[nodiscard]] std::string kind() const override { return kKind; }
    [[nodiscard]] std::int64_t vocab_size() const override { return vocab_size_; }
    [[nodiscard]] TokenId boundary() const override { return boundary_; }
    void encode(std::string_view /*text*/, std::vector<TokenId>& /*ids*/) const override { refuse_text(); }
    [[nodiscard]] std::string decode(const std::vector<TokenId>& /*ids*/) const override { refuse_text(); }
    [[nodiscard]] std::string token_text(TokenId id) const override { return std::to_string(checked_id(*this, id)); }
    [[nodiscard]] std::size_t safe_split(std::string_view /*text*/) const override { return 0; }
    [[nodiscard]] std::map<std::string, std::string> files() const override {
        return {{kMetaFile, meta_text(kKind, {{"vocab_size", vocab_size_}, {"boundary", boundary_}})}};
    }

private:
    std::int64_t vocab_size_;
    TokenId boundary_;
};

std::unique_ptr<Tokenizer> load_ids(const StoredTokenizer& stored) {
    const auto number = [&](const char* key) {
        const auto found = stored.meta.find(key);
        if (found == stored.meta.end() || !found->is_number_unsigned())
            throw DataError(stored.place + kMetaFile + " is damaged: \"" + key + "\" is missing");
        return found->get<std::uint64_t>();
    };
    const auto size = number("vocab_size"), boundary = number("boundary");
    if (size > (std::uint64_t{1} << 32) || boundary >= size)
        throw DataError(stored.place + kMetaFile + " is damaged: its boundary is none of its ids");
    return make_ids_tokenizer(static_cast<std::int64_t>(size), static_cast<TokenId>(boundary));
}

}  // namespace

std::unique_ptr<Tokenizer> make_ids_tokenizer(std::int64_t vocab_size, TokenId boundary) {
    return std::make_unique<IdsTokenizer>(vocab_size, boundary);
}

LONGBOW_REGISTER_TOKENIZER({.name = kKind,
                            .help = "none: a model imported with --no-tokenizer, which scores given ids",
                            .open = [](const TokenizerConfig&) -> std::unique_ptr<Tokenizer> { refuse_text(); },
                            .learn = [](const TokenizerConfig&, const TrainingText&) -> std::unique_ptr<Tokenizer> {
                                refuse_text();
                            },
                            .load = load_ids});

}  // namespace longbow
