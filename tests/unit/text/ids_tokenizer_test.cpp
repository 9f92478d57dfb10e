#include "longbow/text/ids_tokenizer.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "longbow/core/error.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

using testing::HasSubstr;

class IdsTokenizerTest : public testing::Test {
protected:
    IdsTokenizerTest()
        : folder_(std::filesystem::temp_directory_path() / ("longbow-ids-" + std::to_string(::getpid()))) {}
    ~IdsTokenizerTest() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path folder_;
};

TEST_F(IdsTokenizerTest, IsReadBack) {
    const auto tokenizer = make_ids_tokenizer(1000, 7);
    save_tokenizer(*tokenizer, folder_);
    const auto again = load_tokenizer(folder_);
    EXPECT_EQ(again->kind(), "given_ids");
    EXPECT_EQ(again->vocab_size(), 1000);
    EXPECT_EQ(again->boundary(), 7U);
    EXPECT_EQ(again->fingerprint(), tokenizer->fingerprint());
    EXPECT_NE(make_ids_tokenizer(1000, 8)->fingerprint(), tokenizer->fingerprint());
    EXPECT_EQ(again->token_text(12), "12");
    EXPECT_THROW((void)again->token_text(1000), DataError);
}

TEST_F(IdsTokenizerTest, RefusesTextWithTheRemedy) {
    const auto tokenizer = make_ids_tokenizer(10, 0);
    std::vector<TokenId> ids;
    try {
        tokenizer->encode("text", ids);
        FAIL() << "text was encoded";
    } catch (const DataError& error) {
        EXPECT_THAT(error.what(), HasSubstr("--ids"));
    }
    EXPECT_THROW((void)tokenizer->decode({1}), DataError);
    TokenizerConfig config;
    config.kind = "given_ids";
    EXPECT_THROW((void)open_tokenizer(config), DataError);
}

TEST_F(IdsTokenizerTest, FindsDamage) {
    save_tokenizer(*make_ids_tokenizer(10, 0), folder_);
    for (const char* text : {R"({"format": 1, "kind": "given_ids", "vocab_size": 10})",
                             R"({"format": 1, "kind": "given_ids", "vocab_size": 10, "boundary": 10})",
                             R"({"format": 1, "kind": "given_ids", "vocab_size": -1, "boundary": 0})"}) {
        write_file_atomic(folder_ / "tokenizer.meta.json", text);
        EXPECT_THROW((void)load_tokenizer(folder_), DataError) << text;
    }
}

}  // namespace
}  // namespace longbow
