// Tests that activation recompute gives the same bits of gradients for any arithmetic, dropout, back-end and position
// method, that each parameter's gradient arrives once, and that one tensor per layer stays in memory.
#include "model/recompute.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>

#include "longbow/model/autocast.h"
#include "longbow/model/device_memory.h"
#include "longbow/model/linear.h"
#include "unit/model/gemm_scope.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::tiny_config;
using test::tiny_model;

struct Step {
    double loss;
    std::map<std::string, at::Tensor> gradients;
    at::Tensor next_random;  // drawn after the backward pass
};

// Runs two micro-batches as the trainer does.
Step step_of(const Config& config, Recompute recompute) {
    auto with = config;
    with.train.recompute = recompute;
    const auto model = tiny_model(with);
    Step step{};
    const auto type = scalar_type(config.train.dtype);
    for (int micro = 0; micro < 2; ++micro) {
        torch::manual_seed(100 + micro);
        const auto tokens = test::random_tokens(2, 33);
        const auto targets = tokens.slice(1, 1).flatten();
        at::Tensor loss;
        {
            const AutocastScope autocast(at::kCPU, type);
            loss = model->head().loss(model->hidden(tokens.slice(1, 0, -1)).flatten(0, 1), targets, 1.0 / 64);
        }
        loss.backward();
        step.loss += loss.item<double>();
    }
    step.next_random = torch::rand({4});
    for (const auto& item : model->named_parameters()) step.gradients[item.key()] = item.value().grad();
    return step;
}

void expect_same(const Config& config) {
    const auto plain = step_of(config, Recompute::none);
    const auto again = step_of(config, Recompute::layer);
    EXPECT_EQ(plain.loss, again.loss);
    EXPECT_TRUE(plain.next_random.equal(again.next_random)) << "the generator is not where it was";
    for (const auto& [name, gradient] : plain.gradients) {
        ASSERT_TRUE(gradient.defined()) << name;
        ASSERT_TRUE(again.gradients.at(name).defined()) << name;
        EXPECT_TRUE(gradient.equal(again.gradients.at(name)))
            << name << " differs by " << test::largest_difference(gradient, again.gradients.at(name));
    }
}

void drop(ModelConfig& model) {
    model.dropout = model.attention_dropout = model.activation_dropout = model.output_dropout = 0.2;
}

TEST(Recompute, GradientsAreTheSameBits) {
    for (const auto& method : test::every_method()) {
        for (const auto* dtype : {"fp32", "bf16", "fp64"}) {
            for (const bool dropout : {false, true}) {
                SCOPED_TRACE(method + " " + dtype + (dropout ? " dropout" : ""));
                auto config = tiny_config(method, dtype);
                if (dropout) drop(config.model);
                expect_same(config);
            }
        }
    }
}

TEST(Recompute, WhateverTheBackEnd) {
    for (const auto* backend : {"fused", "sdpa", "reference"}) {
        for (const auto* method : {"alibi", "t5", "sinusoidal"}) {
            for (const bool dropout : {false, true}) {
                SCOPED_TRACE(std::string(backend) + " " + method + (dropout ? " dropout" : ""));
                auto config = tiny_config(method, "fp32");
                config.attention.backend = backend;
                config.position.options.clear();
                if (dropout) drop(config.model);
                expect_same(config);
            }
        }
    }
    auto config = tiny_config("t5", "fp32");  // one table per layer
    config.position.options["shared"] = false;
    expect_same(config);
}

TEST(Recompute, WithBothGemmLibraries) {
    for (const auto library : {GemmLibrary::aten, GemmLibrary::onednn}) {
        const test::GemmScope scope(library);
        for (const auto activation : {Activation::relu, Activation::gelu, Activation::swiglu}) {
            SCOPED_TRACE(to_string(library) + " " + std::string(name_of(activation)));
            auto config = tiny_config("alibi", "fp32");
            config.model.activation = activation;
            expect_same(config);
            drop(config.model);
            expect_same(config);
        }
    }
}

TEST(Recompute, WithAdaptiveInputAndSoftmax) {
    for (const auto* dtype : {"fp32", "bf16"}) {
        auto config = tiny_config("alibi", dtype);
        config.model.adaptive_cutoffs = {12, 24};
        config.model.adaptive_factor = 2;
        config.model.norm = NormKind::rmsnorm;
        drop(config.model);
        expect_same(config);
    }
}

// c10d's Reducer hooks each parameter's accumulation and expects one per backward pass, including that of T5's table,
// which all layers use.
TEST(Recompute, EveryParameterAccumulatesOnce) {
    auto config = tiny_config("t5", "fp32");
    config.train.recompute = Recompute::layer;
    const auto model = tiny_model(config);
    struct Count : torch::autograd::FunctionPostHook {
        explicit Count(int& its_calls) : calls(its_calls) {}
        torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                                  const torch::autograd::variable_list&) override {
            ++calls;
            return outputs;
        }
        int& calls;
    };
    std::map<std::string, int> calls;
    std::vector<std::shared_ptr<torch::autograd::Node>> accumulators;
    for (const auto& item : model->named_parameters()) {
        accumulators.push_back(torch::autograd::impl::grad_accumulator(item.value()));
        accumulators.back()->add_post_hook(std::make_unique<Count>(calls[item.key()]));
    }
    const auto tokens = test::random_tokens(2, 17);
    model->head().loss(model->hidden(tokens).flatten(0, 1), tokens.flatten(), 1.0).backward();
    for (const auto& [name, count] : calls) EXPECT_EQ(count, 1) << name;
}

TEST(Recompute, EvaluationKeepsNothingAndNeedsNone) {
    auto config = tiny_config("alibi", "fp32");
    config.train.recompute = Recompute::layer;
    const auto model = tiny_model(config);
    const auto tokens = test::random_tokens(1, 9);
    model->eval();
    const auto evaluated = model->hidden(tokens);
    model->train();
    const torch::NoGradGuard no_grad;
    EXPECT_TRUE(evaluated.equal(model->hidden(tokens)));
}

// Between the forward and the backward pass, a layer without recompute keeps its input (d), the norm (d), q, k, v (3d),
// the attention's output (d), the stream between (d), its norm (d) and the hidden layer (ffn), all in fp32, and a few
// numbers per token. With recompute it keeps its input alone.
TEST(Recompute, KeepsTheInputAlone) {
    count_cpu_memory();
    auto config = tiny_config("alibi", "fp32");
    config.model.layers = 6;
    config.model.dim = 64;
    config.model.heads = 2;
    config.model.ffn_dim = 256;
    const double tokens = 8 * 128, dim = 64, ffn = 256;
    const auto kept_by = [&](Recompute recompute) {
        config.train.recompute = recompute;
        const auto model = tiny_model(config);
        const auto ids = test::random_tokens(8, 128);
        model->hidden(ids);  // makes the position tables
        const auto before = tensor_bytes("cpu").now;
        const auto hidden = model->hidden(ids);
        return static_cast<double>(tensor_bytes("cpu").now - before);
    };
    const double statistics = tokens * (2 + 4) * 4;  // log-sum-exp of each head, mean and deviation of two norms
    const double skipped = 8 * 2 * 2 * 4;            // the table of skipped blocks
    // The last layer's output, the final norm and its statistics, the ids.
    const double rest = tokens * (2 * dim + 2) * 4 + tokens * 8;
    EXPECT_NEAR(kept_by(Recompute::none), 6 * (tokens * (8 * dim + ffn) * 4 + statistics + skipped) + rest,
                0.01 * 6 * tokens * dim * 4);
    // The tolerance also covers 5 kB of generator state.
    EXPECT_NEAR(kept_by(Recompute::layer), 6 * tokens * dim * 4 + rest, 0.2 * 6 * tokens * dim * 4);
}

}  // namespace
}  // namespace longbow
