// Compares the evaluator with the obvious way: one forward pass per target, over exactly the inputs that its window
// gives it.
#include "longbow/eval/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>

#include "eval/partial.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/data/memory_stream.h"
#include "longbow/model/output_head.h"
#include "unit/error_of.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

constexpr TokenId kBoundary = 3;

std::vector<double> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalRequest& request,
                                    const EvalOptions& options = {}) {
    return longbow::evaluate_tokens(model, stream, plan_evaluation(stream, request), options);
}

std::vector<TokenId> some_ids(std::size_t count) {
    std::vector<TokenId> ids(count);
    for (std::size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((i * i * 7 + i * 11 + 5) % test::kVocab);
    return ids;
}

EvalRequest request_for(const std::string& protocol, std::int64_t length, std::int64_t stride = 0) {
    EvalRequest request;
    request.protocol = protocol;
    request.length = length;
    request.stride = stride;
    request.max_batch_tokens = 50;  // several windows a batch, several batches
    request.dtype = DType::fp64;
    return request;
}

// Returns -log p(target | inputs) by the full softmax, from the logits at the last place.
double slow_nll(LanguageModel& model, const std::vector<std::int64_t>& inputs, std::int64_t target) {
    const torch::NoGradGuard no_grad;
    const auto hidden = model.hidden(torch::tensor(inputs, torch::kLong).unsqueeze(0));
    const auto logits =
        model.head().logits(hidden.select(1, static_cast<std::int64_t>(inputs.size()) - 1)).to(torch::kDouble);
    return -torch::log_softmax(logits, -1)[0][target].item<double>();
}

class EveryMethod : public testing::TestWithParam<std::string> {};

TEST_P(EveryMethod, LossesAreThoseOfASlowLoop) {
    torch::set_num_threads(1);  // the tensors are tiny
    const auto model = test::tiny_model(test::tiny_config(GetParam()));
    model->eval();
    const auto ids = some_ids(37);
    const auto stream = stream_of_ids(ids, kBoundary);
    for (const auto& request :
         {request_for("paper", 8), request_for("paper", 8, 3), request_for("paper", 8, 1), request_for("hf", 8),
          request_for("hf", 8, 8), request_for("lm-eval", 8), request_for("llamacpp", 9), request_for("yarn", 8, 3)}) {
        const auto nll = evaluate_tokens(*model, *stream, request);
        std::size_t next = 0;
        for (const auto& window : plan_evaluation(*stream, request).windows) {
            for (auto target = window.score_begin; target < window.end; ++target) {
                std::vector<std::int64_t> inputs;
                for (auto p = window.begin; p <= target; ++p)
                    inputs.push_back(p == 0 ? kBoundary : ids[static_cast<std::size_t>(p - 1)]);
                if (window.boundary_first) inputs[0] = kBoundary;
                ASSERT_NEAR(nll.at(next++), slow_nll(*model, inputs, ids[static_cast<std::size_t>(target)]), 1e-12)
                    << request.protocol << " " << target;
            }
        }
        EXPECT_EQ(next, nll.size());
    }
}
INSTANTIATE_TEST_SUITE_P(Evaluator, EveryMethod, testing::ValuesIn(test::every_method()));

EvalRequest with_bos(EvalRequest request, Bos bos) {
    request.bos = bos;
    return request;
}

// Each window alone, as a pass of its own length. Some tools pass its last token as well.
TEST(Evaluator, AMethodThatDependsOnTheLengthSeesThatOfEachWindow) {
    for (const bool layered : {false, true}) {
        auto config = test::tiny_config("rotary");
        const OptionMap options = {
            {"scaling", std::string("dynamic")}, {"factor", 2.0}, {"original_length", std::int64_t{4}}};
        config.position.options = options;
        if (layered) config.position.layers = {{"none", 0, {}}, {"rotary", 0, options}};
        const auto model = test::tiny_model(config);
        model->eval();
        const auto ids = some_ids(37);
        const auto stream = stream_of_ids(ids, kBoundary);
        for (auto request : {request_for("paper", 8), request_for("paper", 8, 3), request_for("paper", 8, 1),
                             request_for("hf", 8), request_for("hf", 8, 8), request_for("lm-eval", 8),
                             request_for("llamacpp", 9), with_bos(request_for("hf", 8), Bos::first),
                             with_bos(request_for("hf", 8), Bos::each_window), request_for("yarn", 8, 4)}) {
            request.max_batch_tokens = 1000;
            const auto nll = evaluate_tokens(*model, *stream, request);
            const torch::NoGradGuard no_grad;
            std::size_t next = 0;
            for (const auto& window : plan_evaluation(*stream, request).windows) {
                std::vector<std::int64_t> inputs;
                const auto end = window.end + (protocol_named(request.protocol).passes_last_token ? 1 : 0);
                for (auto p = window.begin; p < end; ++p)
                    inputs.push_back(p == 0 ? kBoundary : ids[static_cast<std::size_t>(p - 1)]);
                if (window.boundary_first) inputs[0] = kBoundary;
                const auto hidden = model->hidden(torch::tensor(inputs, torch::kLong).unsqueeze(0));
                const auto losses = model->head().logits(hidden[0]).to(torch::kDouble).log_softmax(-1).neg();
                for (auto target = window.score_begin; target < window.end; ++target) {
                    ASSERT_NEAR(nll.at(next++),
                                losses[target - window.begin][ids[static_cast<std::size_t>(target)]].item<double>(),
                                1e-6)
                        << request.protocol << " " << target;
                }
            }
            EXPECT_EQ(next, nll.size());
        }
        const auto plan = plan_evaluation(*stream, request_for("paper", 8, 1));
        EXPECT_EQ(forward_windows(*model, plan.windows), plan.windows);
        EXPECT_LT(forward_windows(*test::tiny_model(test::tiny_config()), plan.windows).size(), plan.windows.size());
    }
}

TEST(Evaluator, BatchesDoNotChangeLossesAndModeComesBack) {
    const auto model = test::tiny_model(test::tiny_config());
    const auto stream = stream_of_ids(some_ids(200), kBoundary);
    auto request = request_for("paper", 16, 4);
    model->train();
    const auto small = evaluate_tokens(*model, *stream, request);
    request.max_batch_tokens = 100000;
    const auto large = evaluate_tokens(*model, *stream, request);
    ASSERT_EQ(small.size(), 200U);
    for (std::size_t i = 0; i < small.size(); ++i) EXPECT_NEAR(small[i], large[i], 1e-6);
    EXPECT_TRUE(model->is_training());
    request.max_stream_tokens = 50;
    EXPECT_EQ(evaluate_tokens(*model, *stream, request).size(), 50U);
    EXPECT_EQ(evaluate_tokens(*model, *stream, request), evaluate_tokens(*model, *stream, request));
}

TEST(Evaluator, HalfPrecisionIsNearAndFp64NeedsFp64Weights) {
    const auto model = test::tiny_model(test::tiny_config("alibi", "fp32"));
    const auto stream = stream_of_ids(some_ids(100), kBoundary);
    auto request = request_for("paper", 16);
    EXPECT_THROW(evaluate_tokens(*model, *stream, request), UsageError);
    request.dtype = DType::fp32;
    const auto full = evaluate_tokens(*model, *stream, request);
    request.dtype = DType::bf16;
    const auto half = evaluate_tokens(*model, *stream, request);
    EXPECT_NE(full, half);
    for (const double loss : full) EXPECT_EQ(loss, static_cast<float>(loss)) << "fp32 numbers";
    for (std::size_t i = 0; i < full.size(); ++i) EXPECT_NEAR(full[i], half[i], 0.15);
}

TEST(Evaluator, ALengthPastThePositionTableIsRefused) {
    const auto model = test::tiny_model(test::tiny_config("learned"));
    const auto stream = stream_of_ids(some_ids(100), kBoundary);
    EXPECT_NO_THROW(check_length(*model, 64));
    EXPECT_THROW(check_length(*model, 65), UsageError);
    EXPECT_THROW(evaluate_tokens(*model, *stream, request_for("paper", 65)), UsageError);
}

TEST(Evaluator, ALengthPastTheDrawnPositionsNamesTheKey) {
    auto config = test::tiny_config("alibi");
    config.position.options["draw"] = std::string("integers");
    config.position.options["draw_max"] = std::int64_t{48};
    const auto model = test::tiny_model(config);
    EXPECT_NO_THROW(check_length(*model, 48));
    const auto said = test::error_of([&] { check_length(*model, 96); });
    EXPECT_THAT(said, testing::HasSubstr("ends at 48, position.draw_max"));
    EXPECT_THAT(said, testing::HasSubstr("position.draw_max=96")) << "the remedy, as an evaluation takes it";
}

TEST(Partial, ComesBackForItsOwnKeyWhenWhole) {
    const auto path = std::filesystem::path(testing::TempDir()) / "evaluator_test.partial";
    std::filesystem::remove(path);
    EXPECT_TRUE(read_partial(path, "key", DType::fp32).empty());
    EXPECT_TRUE(read_partial({}, "key", DType::fp32).empty());
    for (const auto dtype : {DType::fp32, DType::fp64, DType::bf16}) {
        write_partial(path, "key", {1.5, 2.5, 0, 0}, 2, dtype);
        EXPECT_EQ(read_partial(path, "key", dtype), (std::vector<double>{1.5, 2.5}));
        EXPECT_TRUE(read_partial(path, "other", dtype).empty());
        EXPECT_TRUE(read_partial(path, "key", dtype == DType::fp64 ? DType::fp32 : DType::fp64).empty());
        auto bytes = read_file(path);
        bytes.back() ^= 1;
        write_file_atomic(path, bytes);
        EXPECT_TRUE(read_partial(path, "key", dtype).empty());
        write_file_atomic(path, bytes.substr(0, 10));
        EXPECT_TRUE(read_partial(path, "key", dtype).empty());
    }
    write_partial(path, "key", {0.1}, 1, DType::fp32);
    EXPECT_EQ(read_partial(path, "key", DType::fp32), std::vector<double>{0.1F});
    write_partial(path, "key", {0.1}, 1, DType::fp64);
    EXPECT_EQ(read_partial(path, "key", DType::fp64), std::vector<double>{0.1});
}

}  // namespace
}  // namespace longbow
