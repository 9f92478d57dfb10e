// Tests that a protocol that only this file registers evaluates like any other, and that docs/evaluation.md has a row
// for each registered one.
#include "longbow/eval/protocol.h"

#include <gmock/gmock.h>

#include <torch/utils.h>

#include <set>
#include <string>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/data/memory_stream.h"
#include "longbow/eval/evaluator.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

constexpr const char* kToy = "every-other";

// Scores every other block of `length` targets. Its tool prints a perplexity of its own.
LONGBOW_REGISTER_PROTOCOL({
    .name = kToy,
    .help = "every other block, for this test",
    .shortest_length = 2,
    .strided = false,
    .within_documents = false,
    .scores_all = false,
    .plan =
        [](const EvalStretch& text, std::vector<EvalWindow>& windows) {
            for (auto b = text.first; b + text.length <= text.last; b += 2 * text.length)
                windows.push_back({b, b + text.length, b});
        },
    .tool_ppl = [](const std::vector<double>&,
                   const std::vector<EvalWindow>& windows) { return static_cast<double>(windows.size()); },
});

EvalRequest toy_request(std::int64_t length) {
    EvalRequest request;
    request.protocol = kToy;
    request.length = length;
    return request;
}

TEST(Protocol, OneThatIsRegisteredHereEvaluatesLikeAnyOther) {
    torch::set_num_threads(1);
    const auto model = test::tiny_model(test::tiny_config());
    model->eval();
    std::vector<TokenId> ids(40);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>((i * i * 7 + 5) % test::kVocab);
    const auto stream = stream_of_ids(ids, 3);
    auto request = toy_request(8);
    request.dtype = DType::fp64;
    const auto nll = evaluate_tokens(*model, *stream, plan_evaluation(*stream, request));
    auto whole = request;
    whole.protocol = "paper";  // the same windows, and those between them
    const auto every = evaluate_tokens(*model, *stream, plan_evaluation(*stream, whole));
    ASSERT_EQ(nll.size(), 24U);  // blocks 0, 2 and 4 of five
    for (std::size_t block = 0; block < 3; ++block) {
        for (std::size_t i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(nll[block * 8 + i], every[block * 16 + i]);
    }
    const auto row = summarise(nll, *stream, plan_evaluation(*stream, request));
    EXPECT_EQ(row.protocol, kToy);
    EXPECT_EQ(row.stride, 8);
    EXPECT_DOUBLE_EQ(row.tool_ppl, 3);
}

TEST(Protocol, WhatItDeclaresIsChecked) {
    EXPECT_THROW(plan_windows({kToy, 1, 0, 40, {}}), UsageError);
    EXPECT_THROW(plan_windows({kToy, 8, 4, 40, {}}), UsageError);
    EXPECT_THROW(plan_windows({kToy, 8, 0, 40, {20, 40}}), UsageError);
    EXPECT_THROW(plan_windows({kToy, 8, 0, 7, {}}), UsageError);  // such a window would score nothing
    EXPECT_FALSE(protocol_scores_all(kToy));
    EXPECT_FALSE(protocol_scores_all("of another program"));
    EXPECT_THROW(register_protocol({.name = "paper"}), UsageError);
}

TEST(Protocol, TheDocsHaveARowForEach) {
    std::set<std::string> rows, registered;
    const auto page = read_file(LONGBOW_TEST_DATA "/../docs/evaluation.md");
    const auto table = page.substr(page.find("## Protocols"));
    for (const auto& line : split(table.substr(0, table.find("\n**")), '\n')) {
        if (!starts_with(line, "| `")) continue;
        const auto cells = split(line, '|');
        const auto name = trim(cells.at(1));
        const auto& protocol = protocol_named(std::string(name.substr(1, name.size() - 2)));
        rows.insert(protocol.name);
        EXPECT_EQ(trim(cells.at(4)) == "none", !protocol.strided) << line;
        const auto* within = protocol.documents_apart ? "always" : protocol.within_documents ? "yes" : "no";
        EXPECT_EQ(trim(cells.at(5)), within) << line;
        EXPECT_NE(page.find("\n**" + protocol.name + ".** "), std::string::npos) << "no paragraph on " << protocol.name;
    }
    for (const auto& name : protocol_names()) {
        if (name != kToy) registered.insert(name);
    }
    EXPECT_EQ(rows, registered);
}

}  // namespace
}  // namespace longbow
