// The tokenizers of the golden checkpoints, and what `tokenizers` made of their 15 strings.
#include "hf_case.h"

namespace longbow {
namespace {

using test::golden_folders;
using test::ids_of;

struct Golden {
    std::string name, json;
    Json expected;
    explicit Golden(const fs::path& folder)
        : name(folder.filename()),
          json(read_file(folder / "tokenizer.json")),
          expected(Json::parse(read_file(folder / "expected.json"))) {}
};

TEST(HfGolden, IdsAreThoseOfTheLibrary) {
    const auto folders = golden_folders();
    ASSERT_FALSE(folders.empty());
    for (const auto& folder : folders) {
        const Golden golden(folder);
        const auto tokenizer = make_hf_tokenizer(golden.json, golden.name);
        for (const auto& each : golden.expected["tokenizer"]["cases"]) {
            const auto text = each["text"].get<std::string>();
            const auto ids = ids_of(*tokenizer, text);
            EXPECT_EQ(Json(ids), each["ids"]) << golden.name << ": " << text;
            auto whole = tokenizer->special_prefix();
            whole.insert(whole.end(), ids.begin(), ids.end());
            for (const auto id : tokenizer->special_suffix()) whole.push_back(id);
            EXPECT_EQ(Json(whole), each["ids_with_special"]) << golden.name << ": " << text;
        }
    }
}

// Documents are joined by <|endoftext|>, BLOOM's by </s>; elsewhere the BOS is the boundary.
TEST(HfGolden, TheBoundaryIsTheFamilys) {
    for (const auto& folder : golden_folders()) {
        const Golden golden(folder);
        const auto tokenizer = make_hf_tokenizer(golden.json, golden.name);
        auto wanted = tokenizer->find_token("<|endoftext|>");
        if (!wanted && golden.name.starts_with("bloom")) wanted = tokenizer->find_token("</s>");
        if (!wanted) wanted = golden.expected["bos"][1].get<TokenId>();
        EXPECT_EQ(tokenizer->boundary(), *wanted) << golden.name;
    }
}

}  // namespace
}  // namespace longbow
