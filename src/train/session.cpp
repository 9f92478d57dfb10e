#include "session.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <cmath>
#include <cstdlib>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/random.h"
#include "longbow/core/strings.h"
#include "longbow/data/prepare.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/linear.h"
#include "longbow/telemetry/log.h"
#include "resume.h"

namespace longbow {

namespace {

void open_data(Session& session, const TrainRequest& request) {
    session.store = std::make_unique<TokenStore>(open_store(request));
    session.tokenizer = session.store->tokenizer();
    const auto& data = request.config.data;
    session.source = std::make_unique<TrainingSource>(data, *session.store);
    session.train = &session.source->stream();
    if (session.train->size() < request.config.train.length) {
        throw DataError(strprintf("%s: the train split has %s tokens, fewer than train.length = %lld", session.store->path().c_str(),
                                  with_commas(session.train->size()).c_str(), static_cast<long long>(request.config.train.length)));
    }
    if (!request.validate) return;
    if (!data.valid_store.empty())
        session.valid_store = std::make_unique<TokenStore>(open_like(data.valid_store, *session.store, "data.valid_store"));
    const TokenStore& held_out = session.valid_store ? *session.valid_store : *session.store;
    if (session.valid_store || held_out.has_split("valid")) {
        session.valid = &held_out.split("valid");
    } else {
        log::warn(session.store->path().string() + " has no valid split: training without validation, and `best` is not kept");
    }
}

void make_model(Session& session) {
    torch::manual_seed(seed_of(session.config.train.seed, 0x1417u));
    session.model = make_language_model(session.config, session.store->vocab_size());
    session.model->to(session.device);
    session.model->train();
    session.parameters = session.model->parameters();
    if (session.valid != nullptr) {
        for (const auto length : validation_lengths(session.config)) {
            check_length(*session.model, length);
            EvalRequest request;
            request.length = length;
            request.max_stream_tokens = session.config.eval.valid_tokens;
            if (session.ranks->leader()) warn_if_unreached(plan_request(*session.valid, request));
        }
    }
}

// The weights are there: rank 0's for all ranks, and what the optimizer keeps of them here.
void make_optimizer(Session& session) {
    std::vector<at::Tensor> weights;
    for (const auto& parameter : session.parameters) weights.push_back(parameter.detach());
    session.ranks->broadcast(weights);
    session.parallel = std::make_unique<DataParallel>(*session.ranks, session.parameters, session.config.dist);
    std::vector<bool> decay;
    for (const auto& piece : session.parallel->pieces()) decay.push_back(session.model->decays(session.parameters[piece.parameter]));
    session.optimizer = make_optimizer(session.config.optim, session.parallel->owned(), decay);
}

// Warm-up and period in updates. A schedule has to be a pure function of the update, which a time is not.
std::int64_t schedule_updates(const Duration& duration, const RunUnits& units, const char* key) {
    if (duration.unit == Duration::Unit::seconds && duration.value > 0) {
        throw ConfigError(std::string(key) + ": " + duration.text() + " is a time; a schedule needs updates, epochs or tokens");
    }
    return static_cast<std::int64_t>(std::ceil(fractional_updates(duration, units)));
}

void resolve_schedule(Session& session) {
    const auto& schedule = session.config.schedule;
    session.warmup = schedule_updates(schedule.warmup, session.units, "schedule.warmup");
    const bool periodic = schedule.name == "linear" || schedule.name == "cosine";
    const std::int64_t period =
        schedule.period.value > 0 ? schedule_updates(schedule.period, session.units, "schedule.period")
        : periodic                ? schedule_updates(session.config.train.stop, session.units, "schedule.period is not set, and train.stop")
                                  : 0;
    if (session.state.schedule_period == 0) session.state.schedule_period = period;
    if (periodic && session.state.schedule_period != period) {
        log::warn(strprintf("train.stop has changed; the %s schedule keeps the period of %lld updates with which this run started",
                            schedule.name.c_str(), static_cast<long long>(session.state.schedule_period)));
    }
}

// Which GEMM library serves decides the last bits. Chosen by rule, not by a timing, which on a busy machine comes out differently each
// time: the same configuration and seed shall give the same numbers. It comes back with the run's checkpoints.
void choose_gemm_library(Session& session, bool fresh) {
    if (fresh) session.state.gemm_library = to_string(gemm_library_by_rule());
    set_gemm_library(gemm_library_from(session.state.gemm_library));
}

// GPU kernels that add in whichever order their threads come are replaced by slower ones, or refused by name.
void make_deterministic() {
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
}

void init_from(Session& session) {
    const fs::path source = resolve_checkpoint(session.config.train.init_from);
    verify_checkpoint(source);
    const std::string tokenizer = read_manifest(source).value("tokenizer", "");
    if (tokenizer != session.tokenizer->fingerprint()) {
        throw DataError("train.init_from: " + source.string() + " was trained with another tokenizer (" + tokenizer +
                        ") than the store's (" + session.tokenizer->fingerprint() + "); prepare the data with the checkpoint's tokenizer");
    }
    load_weights(source, *session.model);
    log::info("weights from " + source.string());
}

void check_expectations(const DataConfig& data, const TokenStore& store) {
    const auto check = [&](const char* key, std::int64_t expected, std::int64_t found, const char* what) {
        if (expected == 0 || expected == found) return;
        throw DataError(
            strprintf("%s has %s %s, and %s says %s: another corpus or another tokenizer; prepare the right one, or set the key to what "
                      "you have",
                      store.path().c_str(), with_commas(found).c_str(), what, key, with_commas(expected).c_str()));
    };
    check("data.expect_vocab_size", data.expect_vocab_size, store.vocab_size(), "ids");
    check("data.expect_train_tokens", data.expect_train_tokens, store.split("train").size(), "training tokens");
}

}  // namespace

TokenStore open_store(const TrainRequest& request) {
    const auto& data = request.config.data;
    const fs::path path = store_path(data, request.run_dir / "store");
    if (!fs::exists(path / "manifest.json")) {
        if (data.train.empty()) {
            throw DataError(
                (data.store.empty() && data.mixture.empty() ? std::string("data.store is not set") : path.string() + " is no token store") +
                ", and data.train names no text to make one from");
        }
        log::info("preparing " + path.string());
        prepare_store({request.config.tokenizer, data, path, request.threads, false});
    }
    TokenStore store(path);
    check_expectations(data, store);
    return store;
}

RunUnits run_units(const TrainingOrder& order) { return {order.tokens_per_update(), order.updates_per_epoch()}; }

std::int64_t total_updates(const Config& config, const RunUnits& units) {
    const double updates = fractional_updates(config.train.stop, units);
    return updates < 0 ? -1 : static_cast<std::int64_t>(std::ceil(updates));
}

std::vector<std::int64_t> validation_lengths(const Config& config) {
    return config.eval.lengths.empty() ? std::vector<std::int64_t>{config.train.length} : config.eval.lengths;
}

Session open_session(const TrainRequest& request) {
    Session session;
    session.config = request.config;
    session.run = request.run_dir;
    session.device = c10::Device(request.device);
    session.ranks = request.ranks;
    auto& ranks = *session.ranks;
    if (session.config.train.deterministic) make_deterministic();
    std::optional<fs::path> from;
    ranks.leader_first("looking for a checkpoint", [&] {
        from = checkpoint_to_resume(request);
        if (from) check_resumed_config(*from, request.config);
    });
    if (const auto path = ranks.from_leader(from ? from->string() : ""); !path.empty()) from = path;
    ranks.leader_first("opening the data", [&] { open_data(session, request); });
    if (!ranks.leader()) open_data(session, request);
    if (from) check_resumed_data(*from, session);
    session.order = training_order(*session.train, session.config.train);
    session.units = run_units(*session.order);
    session.total_updates = total_updates(session.config, session.units);
    session.until_update = request.until_update;
    make_model(session);
    session.state.loss_scale = session.config.train.dtype == "fp16" ? session.config.train.loss_scale : 1.0;
    ranks.leader_first("reading weights", [&] {
        if (from) {
            load_weights(*from, *session.model);
        } else if (!session.config.train.init_from.empty()) {
            init_from(session);
        }
    });
    make_optimizer(session);
    if (from) resume_from(*from, session);
    session.seconds_before = session.state.train_seconds;
    resolve_schedule(session);
    choose_gemm_library(session, !from);
    session.state.device = session.device.str();
    session.state.threads = at::get_num_threads();
    session.state.ranks = ranks.world();
    return session;
}

}  // namespace longbow
