// Times the adaptive softmax beside a plain translation of fairseq's (modules/adaptive_softmax.py and adaptive_loss.py
// in LibTorch, all gradients by autograd), at the size of the paper's WikiText-103 models: 267,744 words, 2,048 tokens,
// width 1024. scripts/bench runs it.
//
//   adaptive_head ours|fairseq [--threads N] [--words N] [--chunk N]
//       Prints "ready" and then answers each line on stdin: "step" by the milliseconds of one forward and backward
//       pass, "memory" by the peak of the resident set above its start, in MiB (Linux).
//   adaptive_head compare ..
//       Prints as JSON the largest difference of each gradient, divided by that gradient's largest element.
#include <torch/nn/functional.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "longbow/model/language_model.h"
#include "longbow/model/linear.h"
#include "unit/stored_gradients.h"

namespace {

using longbow::LanguageModel;

constexpr std::int64_t kTokens = 2048, kDim = 1024;

struct Work {
    std::int64_t words;
    std::vector<std::int64_t> cutoffs;
    std::shared_ptr<LanguageModel> model;
    at::Tensor hidden, targets;

    Work(std::int64_t vocabulary, std::int64_t chunk) : words(vocabulary), cutoffs{20000, 60000} {
        longbow::Config config;
        config.model.layers = 1;
        config.model.dim = kDim;
        config.model.heads = 8;
        config.model.ffn_dim = 64;  // not used
        config.model.adaptive_cutoffs = cutoffs;
        config.position.method = "none";
        config.train.loss_chunk = chunk;
        torch::manual_seed(1);
        model = make_language_model(config, words);
        hidden = torch::randn({kTokens, kDim}).requires_grad_(true);
        // Ids by Zipf's law: their logarithms are uniform.
        targets = torch::rand({kTokens}, torch::kDouble)
                      .mul(std::log(static_cast<double>(words)))
                      .exp()
                      .sub(1)
                      .to(torch::kLong)
                      .clamp(0, words - 1);
    }
};

// Computes what fairseq computes, with parameters that share the model's memory.
struct Fairseq {
    const Work& work;
    at::Tensor words[3], projections[3], classes;

    explicit Fairseq(const Work& all) : work(all) {
        std::map<std::string, at::Tensor> stored;
        for (const auto& tensor : work.model->stored_tensors())
            stored[tensor.name] = tensor.tensor.detach().requires_grad_(true);
        for (int i = 0; i < 3; ++i) {
            words[i] = stored.at("embed.bands." + std::to_string(i) + ".weight");
            projections[i] = stored.at("embed.bands." + std::to_string(i) + ".projection");
        }
        classes = stored.at("head.classes");
    }

    at::Tensor loss() const {
        namespace F = torch::nn::functional;
        const auto sum = F::CrossEntropyFuncOptions().reduction(torch::kSum);
        const auto first = work.cutoffs[0];
        auto head = torch::empty({kTokens, first + 2});
        head.slice(1, 0, first).copy_(F::linear(work.hidden, words[0]));
        head.slice(1, first).copy_(F::linear(work.hidden, classes));
        std::vector<at::Tensor> outputs = {head};
        std::vector<at::Tensor> targets = {work.targets.clone()};
        for (int i = 0; i < 2; ++i) {
            const auto low = work.cutoffs[static_cast<std::size_t>(i)];
            const auto high = i == 0 ? work.cutoffs[1] : work.words;
            const auto mask = work.targets.ge(low).logical_and(work.targets.lt(high));
            targets[0].masked_fill_(mask, first + i);
            if (!mask.any().item<bool>()) continue;
            const auto rows = mask.nonzero().squeeze(1);
            targets.push_back(work.targets.masked_select(mask).sub(low));
            outputs.push_back(
                F::linear(F::linear(work.hidden.index_select(0, rows), projections[i + 1].t()), words[i + 1]));
        }
        auto loss = torch::zeros({});
        for (std::size_t i = 0; i < outputs.size(); ++i) loss = loss + F::cross_entropy(outputs[i], targets[i], sum);
        return loss;
    }
};

// Reads "VmRSS:" or "VmHWM:" of this process, in MiB.
double status_mib(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word == key) {
            double kib = 0;
            status >> kib;
            return kib / 1024;
        }
    }
    return NAN;
}

template <class Loss>
void serve(Work& work, const std::vector<at::Tensor>& leaves, Loss&& loss) {
    const double before = status_mib("VmRSS:");
    std::ofstream("/proc/self/clear_refs") << 5;  // resets the peak
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "memory") {
            std::cout << status_mib("VmHWM:") - before << std::endl;
            continue;
        }
        work.hidden.mutable_grad() = at::Tensor();
        for (const auto& leaf : leaves) leaf.mutable_grad() = at::Tensor();
        const auto start = std::chrono::steady_clock::now();
        loss().backward();
        std::cout << std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count()
                  << std::endl;
    }
}

int compare(Work& work) {
    const Fairseq theirs(work);
    theirs.loss().backward();
    std::map<std::string, at::Tensor> expected = {{"hidden", work.hidden.grad()},
                                                  {"head.classes", theirs.classes.grad()}};
    for (int i = 0; i < 3; ++i) {
        const auto band = "embed.bands." + std::to_string(i);
        expected[band + ".weight"] = theirs.words[i].grad();
        if (i > 0) expected[band + ".projection"] = theirs.projections[i].grad();
    }
    work.hidden.mutable_grad() = at::Tensor();
    const auto loss = work.model->head().loss(work.hidden, work.targets, 1.0);
    loss.backward();
    std::map<std::string, at::Tensor> found = {{"hidden", work.hidden.grad()}};
    found.merge(longbow::test::stored_gradients(*work.model));
    std::printf("{");
    const char* comma = "";
    for (const auto& [name, gradient] : expected) {
        const double difference =
            (found.at(name) - gradient).abs().max().item<double>() / gradient.abs().max().item<double>();
        std::printf("%s\"%s\": %.3g", comma, name.c_str(), difference);
        comma = ", ";
    }
    std::printf("}\n");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::map<std::string, std::string> flags = {{"--threads", "2"}, {"--words", "267744"}, {"--chunk", "256"}};
    const std::string mode = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
    if ((mode != "ours" && mode != "fairseq" && mode != "compare") || argc % 2 != 0 || flags.size() != 3) {
        std::fprintf(stderr, "usage: adaptive_head ours|fairseq|compare [--threads N] [--words N] [--chunk N]\n");
        return 2;
    }
    at::set_num_threads(std::stoi(flags.at("--threads")));
    longbow::set_gemm_library(longbow::gemm_library_by_rule());
    Work work(std::stoll(flags.at("--words")), std::stoll(flags.at("--chunk")));
    if (mode == "compare") return compare(work);
    if (mode == "ours") {
        serve(work, work.model->parameters(), [&] { return work.model->head().loss(work.hidden, work.targets, 1.0); });
    } else {
        const Fairseq theirs(work);
        serve(work,
              {theirs.words[0], theirs.words[1], theirs.words[2], theirs.projections[1], theirs.projections[2],
               theirs.classes},
              [&] { return theirs.loss(); });
    }
    return 0;
}
