// Tests what a checkpoint holds, which one is found, what pruning keeps, and what is refused.
#include "longbow/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <cmath>
#include <limits>

#include <fstream>

#include "checkpoint/optimizer_file.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

template <class E, class F>
std::string error_of(F&& action) {
    try {
        action();
    } catch (const E& error) {
        return error.what();
    }
    return "no error";
}

class Checkpoints : public ::testing::Test {
protected:
    fs::path run = fs::temp_directory_path() / ("longbow-checkpoint-" + std::to_string(::getpid()));
    Config config;
    std::unique_ptr<Tokenizer> tokenizer;
    std::shared_ptr<LanguageModel> model;
    std::unique_ptr<Optimizer> optimizer;

    void SetUp() override {
        fs::create_directories(run);
        std::ofstream(run / "text.txt") << "one two three two one\nfour five\n";
        config.tokenizer.kind = "word";
        tokenizer = train_tokenizer(config.tokenizer, {(run / "text.txt").string()}, 1);
        config.model.layers = 2;
        config.model.dim = 16;
        config.model.heads = 2;
        config.model.ffn_dim = 24;
        make();
    }
    void TearDown() override { fs::remove_all(run); }

    void make() {
        torch::manual_seed(5);
        model = make_language_model(config, tokenizer->vocab_size());
        model->reset_parameters();
        std::vector<bool> decay;
        for (const auto& parameter : model->parameters()) decay.push_back(model->decays(parameter));
        optimizer = make_optimizer(config.optim, model->parameters(), decay);
    }
    void train_a_step() {
        for (auto& parameter : model->parameters()) parameter.mutable_grad() = torch::randn_like(parameter);
        optimizer->step(1e-2);
    }
    void save(std::int64_t update) {
        TrainState state;
        state.updates = update;
        state.optimizer_steps = optimizer->steps();
        save_checkpoint(run, *model, optimizer.get(), state, config, *tokenizer, "xxh3:data");
    }
    void flip_byte(const fs::path& file, std::streamoff offset) {
        std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(offset);
        const char byte = static_cast<char>(stream.get() ^ 1);
        stream.seekp(offset);
        stream.put(byte);
    }
};

TEST_F(Checkpoints, AModelWithoutValuesShowsWhetherTheWeightsFit) {
    save(1);
    const auto opened = open_checkpoint(checkpoint_path(run, 1));
    EXPECT_FALSE(opened.model);
    const auto fault = [&] {
        return error_of<CheckpointError>(
            [&] { check_weights(opened.path, *make_meta_model(config, tokenizer->vocab_size())); });
    };
    EXPECT_EQ(fault(), "no error");
    config.model.ffn_dim = 32;
    EXPECT_THAT(fault(), HasSubstr("has the shape"));
    config.model.ffn_dim = 24;
    config.model.layers = 1;
    EXPECT_THAT(fault(), HasSubstr("does not have"));
    config.model.layers = 3;
    EXPECT_THAT(fault(), HasSubstr("has no tensor layers.2"));
}

TEST_F(Checkpoints, WeightsOptimizerAndStateComeBackBitForBit) {
    train_a_step();
    save(1);
    const auto saved = load_checkpoint(checkpoint_path(run, 1));
    EXPECT_EQ(saved.state.updates, 1);
    EXPECT_EQ(saved.state.optimizer_steps, 1);
    EXPECT_EQ(saved.config.model.ffn_dim, 24);
    EXPECT_EQ(saved.tokenizer->fingerprint(), tokenizer->fingerprint());
    const auto before = model->parameters();
    const auto after = saved.model->parameters();
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(before[i].equal(after[i])) << i;

    auto other = make_optimizer(config.optim, after, std::vector<bool>(after.size(), true));
    load_optimizer(checkpoint_path(run, 1), *saved.model, *other, after);
    EXPECT_EQ(other->steps(), 1);
    for (std::size_t s = 0; s < other->slots().size(); ++s) {
        for (std::size_t i = 0; i < after.size(); ++i)
            EXPECT_TRUE(other->slots()[s].tensors[i].equal(optimizer->slots()[s].tensors[i]));
    }
}

TEST_F(Checkpoints, OptimizerPartsOfSeveralRanksMakeUpTheWhole) {
    train_a_step();
    save(1);
    const fs::path file = checkpoint_path(run, 1) / "optimizer-00000-of-00001.safetensors";
    // The same contents as two ranks would write them, with each slot cut at an odd place.
    const auto whole = read_safetensors(file);
    std::vector<NamedTensor> parts[2];
    Json ranges[2] = {Json::object(), Json::object()};
    for (const auto& [name, tensor] : whole.tensors) {
        const auto cut = tensor.numel() / 3;
        parts[0].push_back({name, tensor.narrow(0, 0, cut).clone()});
        parts[1].push_back({name, tensor.narrow(0, cut, tensor.numel() - cut).clone()});
        ranges[0][name] = {0, cut};
        ranges[1][name] = {cut, tensor.numel()};
    }
    for (int rank = 0; rank < 2; ++rank) {
        write_safetensors(checkpoint_path(run, 1) / ("optimizer-0000" + std::to_string(rank) + "-of-00002.safetensors"),
                          parts[rank], {{"longbow.ranges", ranges[rank].dump()}});
    }
    EXPECT_THAT(error_of<CheckpointError>(
                    [&] { load_optimizer(checkpoint_path(run, 1), *model, *optimizer, model->parameters()); }),
                HasSubstr("do not make up"))
        << "both the whole and the parts are there";
    fs::remove(file);
    const auto expected = optimizer->slots()[0].tensors[0].clone();
    optimizer->slots()[0].tensors[0].zero_();
    load_optimizer(checkpoint_path(run, 1), *model, *optimizer, model->parameters());
    EXPECT_TRUE(optimizer->slots()[0].tensors[0].equal(expected));
}

// A rank owns flat parts of parameters, cut without regard to the stored tensors in them.
TEST_F(Checkpoints, PartsOfParametersTakeTheirElementsOfTheState) {
    train_a_step();
    save(1);
    std::map<std::string, TensorSlice> whole;
    for (const auto& slice : optimizer_slices(*model, *optimizer, model->parameters())) {
        EXPECT_EQ(slice.begin, 0);
        EXPECT_EQ(slice.end, slice.size);
        EXPECT_TRUE(whole.emplace(slice.name, slice).second) << slice.name;
    }
    std::map<std::string, std::int64_t> covered;
    bool cut = false;
    for (int rank = 0; rank < 2; ++rank) {
        std::vector<at::Tensor> owned;
        for (const auto& parameter : model->parameters()) {
            const auto flat = parameter.detach().view({-1});
            const auto middle = flat.numel() / 2 + 1;
            owned.push_back(rank == 0 ? flat.slice(0, 0, middle) : flat.slice(0, middle));
        }
        const auto other = make_optimizer(config.optim, owned, std::vector<bool>(owned.size(), true));
        load_optimizer(checkpoint_path(run, 1), *model, *other, owned);
        for (const auto& slice : optimizer_slices(*model, *other, owned)) {
            const auto& of = whole.at(slice.name);
            ASSERT_EQ(slice.size, of.size) << slice.name;
            EXPECT_TRUE(slice.values.equal(of.values.slice(0, slice.begin, slice.end))) << slice.name;
            covered[slice.name] += slice.end - slice.begin;
            cut = cut || (slice.begin > 0 && slice.name.find("attention.k.weight") != std::string::npos);
        }
    }
    EXPECT_TRUE(cut);
    ASSERT_EQ(covered.size(), whole.size());
    for (const auto& [name, count] : covered) EXPECT_EQ(count, whole.at(name).size) << name;
}

TEST_F(Checkpoints, DamageIsNamedAndAnOlderOneTaken) {
    save(1);
    save(2);
    EXPECT_EQ(newest_whole_checkpoint(run), checkpoint_path(run, 2));
    const fs::path weights = checkpoint_path(run, 2) / "model.safetensors";
    flip_byte(weights, static_cast<std::streamoff>(fs::file_size(weights)) - 1);
    EXPECT_THAT(error_of<CheckpointError>([&] { verify_checkpoint(checkpoint_path(run, 2)); }),
                HasSubstr(weights.string()));
    EXPECT_THROW(load_checkpoint(checkpoint_path(run, 2)), CheckpointError);
    EXPECT_EQ(newest_whole_checkpoint(run), checkpoint_path(run, 1));
    fs::remove(checkpoint_path(run, 1) / "state.json");
    EXPECT_THAT(error_of<CheckpointError>([&] { verify_checkpoint(checkpoint_path(run, 1)); }),
                HasSubstr("state.json is missing"));
    EXPECT_EQ(newest_whole_checkpoint(run), std::nullopt);
}

TEST_F(Checkpoints, ACommandLineNamesARunOrACheckpoint) {
    EXPECT_THAT(error_of<CheckpointError>([&] { resolve_checkpoint((run / "nowhere").string()); }),
                HasSubstr("no checkpoint or run directory"));
    EXPECT_THAT(error_of<CheckpointError>([&] { resolve_checkpoint(run.string()); }),
                HasSubstr("is neither a checkpoint nor a run directory"));
    save(1);
    save(2);
    const auto first = checkpoint_path(run, 1);
    const auto second = checkpoint_path(run, 2);
    EXPECT_EQ(resolve_checkpoint(run.string()), second) << "no best yet: the last";
    mark_best(run, 1);
    EXPECT_EQ(resolve_checkpoint(run.string()), first);
    EXPECT_EQ(resolve_checkpoint(run.string() + "@last"), second);
    EXPECT_EQ(resolve_checkpoint(run.string() + "@step=1"), first);
    EXPECT_EQ(resolve_checkpoint(second.string()), second);
    EXPECT_THAT(error_of<CheckpointError>([&] { resolve_checkpoint(run.string() + "@step=7"); }),
                HasSubstr("step=1, 2"));
    EXPECT_THROW(resolve_checkpoint(run.string() + "@first"), UsageError);
}

TEST_F(Checkpoints, PruningKeepsTheNewestAndTheBest) {
    for (const int update : {1, 2, 3, 4, 5}) save(update);
    mark_best(run, 2);
    prune_checkpoints(run, 2, true);
    std::vector<std::int64_t> left;
    for (const auto& entry : list_checkpoints(run)) left.push_back(entry.update);
    EXPECT_THAT(left, ::testing::ElementsAre(2, 4, 5));
    prune_checkpoints(run, 1, false);
    EXPECT_EQ(list_checkpoints(run).size(), 1u);
}

TEST_F(Checkpoints, LeftoversOfAKilledProcessGoAndAReplacedOneComesBack) {
    save(1);
    save(2);
    const fs::path folder = run / "checkpoints";
    fs::create_directories(folder / ".step-00000003.tmp-77");
    fs::create_directories(folder / ".step-00000000.gone-77");
    fs::rename(folder / "step-00000002", folder / ".step-00000002.old-77");
    clean_checkpoint_leftovers(run);
    EXPECT_EQ(newest_whole_checkpoint(run), checkpoint_path(run, 2));
    for (const auto& entry : fs::directory_iterator(folder)) EXPECT_NE(entry.path().filename().string()[0], '.');
}

TEST_F(Checkpoints, WeightsOfAnotherModelAreRefusedByName) {
    save(1);
    config.model.ffn_dim = 32;
    make();
    EXPECT_THAT(error_of<CheckpointError>([&] { load_weights(checkpoint_path(run, 1), *model); }),
                HasSubstr("layers.0.ffn"));
    config.model.ffn_dim = 24;
    config.model.layers = 1;
    make();
    EXPECT_THAT(error_of<CheckpointError>([&] { load_weights(checkpoint_path(run, 1), *model); }),
                HasSubstr("layers.1."));
    config.model.layers = 3;
    make();
    EXPECT_THAT(error_of<CheckpointError>([&] { load_weights(checkpoint_path(run, 1), *model); }),
                HasSubstr("has no tensor layers.2."));
}

TEST_F(Checkpoints, AStateThatIsNoStateIsRefused) {
    Json json = to_json(TrainState{});
    EXPECT_EQ(train_state_from_json(json, "state.json").gemm_library, "aten");
    TrainState diverged;
    diverged.interval_nll = std::numeric_limits<double>::infinity();
    const auto written = Json::parse(to_json(diverged).dump());
    EXPECT_TRUE(written.at("interval_nll").is_null());
    EXPECT_TRUE(std::isnan(train_state_from_json(written, "state.json").interval_nll));
    json["samples"] = "many";
    EXPECT_THAT(error_of<CheckpointError>([&] { train_state_from_json(json, "state.json"); }),
                HasSubstr("samples has the wrong type"));
    json.erase("samples");
    EXPECT_THAT(error_of<CheckpointError>([&] { train_state_from_json(json, "state.json"); }),
                HasSubstr("samples is missing"));
    EXPECT_THROW(train_state_from_json(Json::parse("[]"), "state.json"), CheckpointError);
}

}  // namespace
}  // namespace longbow
