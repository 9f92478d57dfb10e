#include "session.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/core.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "fork.h"
#include "learning_plan.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/random.h"
#include "longbow/core/strings.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/linear.h"
#include "longbow/telemetry/log.h"
#include "resume.h"
#include "store.h"

namespace longbow {

namespace {

void open_data(Session& session, const TrainRequest& request) {
    static_cast<RunData&>(session) = open_run_data(request, request.validate);
}

// Handles a store without a validation split. Keys about validation that were set for this run are errors, since they
// would have no effect; keys of a configuration file below the one that names the store are not, since such a file
// serves many stores.
void check_no_validation(const TrainRequest& request, bool resumed) {
    const auto path = store_of(request).string();
    const auto store = request.origins.find(request.config.data.mixture.empty() ? "data.store" : "data.mixture");
    for (const auto& [key, origin] : request.origins) {
        if (resumed || !starts_with(key, "eval.") || origin.own) continue;
        if (store != request.origins.end() && store->second.layer > origin.layer) continue;
        throw ConfigError(
            origin.place + ": " + key + " has no effect here: " + path +
            " has no valid split. Make the store again with --valid FILE, name another in data.valid_store, or remove the key");
    }
    log::warn(path + " has no valid split: training without validation, and `best` is not kept");
}

void make_model(Session& session) {
    torch::manual_seed(seed_of(session.config.train.seed, 0x1417u));
    session.model = make_language_model(session.config, session.vocab_size);
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

// Called when the weights are loaded: sends rank 0's to all ranks, and makes the optimizer for the parameters that this
// rank updates.
void make_optimizer(Session& session) {
    std::vector<at::Tensor> weights;
    for (const auto& parameter : session.parameters) weights.push_back(parameter.detach());
    session.ranks->broadcast(weights);
    session.parallel = std::make_unique<DataParallel>(*session.ranks, session.parameters, session.config.dist);
    std::vector<bool> decay;
    for (const auto& owned : session.parallel->owned()) decay.push_back(session.model->decays(owned));
    session.optimizer = make_optimizer(session.config.optim, session.parallel->owned(), decay);
}

// The GEMM library affects the last bits. It is chosen by rule and not by a timing, which comes out differently each
// time on a busy machine: the same configuration and seed must give the same numbers. Checkpoints store the choice for
// resumed runs.
void choose_gemm_library(Session& session, bool fresh) {
    if (fresh) session.state.gemm_library = to_string(gemm_library_by_rule());
    set_gemm_library(gemm_library_from(session.state.gemm_library));
}

// Replaces GPU kernels whose order of addition varies by slower ones; LibTorch throws for those that have none.
void make_deterministic() {
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
}

void init_from(Session& session) {
    const auto source = first_weights(session.config, *session.tokenizer);
    load_weights(source, *session.model);
    log::info("weights from " + source.string());
}

// Holds the checkpoint that the run is resumed or forked from; it is the same on all ranks.
struct Start {
    std::optional<fs::path> resumed, forked;
};

Start find_start(const TrainRequest& request, Communicator& ranks) {
    Start start;
    ranks.leader_first("looking for a checkpoint", [&] {
        start.resumed = checkpoint_to_resume(request);
        if (start.resumed) check_resumed_config(*start.resumed, request);
        if (!request.fork) return;
        if (start.resumed) return check_same_fork(request.run_dir, request.fork->from);
        if (request.fork->checkpoint.empty())
            throw CheckpointError(request.run_dir.string() + ": its checkpoints are gone");
        start.forked = request.fork->checkpoint;
        verify_checkpoint(*start.forked);
    });
    if (const auto path = ranks.from_leader(start.resumed ? start.resumed->string() : ""); !path.empty())
        start.resumed = path;
    if (const auto path = ranks.from_leader(start.forked ? start.forked->string() : ""); !path.empty())
        start.forked = path;
    return start;
}

// Sets how far the run has come and how far it goes. Nothing has been changed on disk yet.
void set_start_and_end(Session& session, const Start& start, const TrainRequest& request, ForkPlan& fork) {
    session.order = training_order(*session.train, session.config.train);
    session.until_update = request.until_update;
    session.state.loss_scale = session.config.train.dtype == DType::fp16 ? session.config.train.loss_scale : 1.0;
    if (start.resumed) session.state = read_train_state(*start.resumed);
    if (start.forked) {
        fork = plan_fork(*start.forked, session.config, *session.train, session.tokenizer->fingerprint());
        session.state = fork.state;
    }
    session.units = run_units(*session.order, session.config, session.state);
    session.total_updates = total_updates(session.config, session.units);
    resolve_schedule(session);
    // A replay ends at the update of another checkpoint, not at train.stop.
    if (start.resumed && request.until_update < 0) check_raised_stop(session, read_checkpoint_config(*start.resumed));
    if (start.forked) check_fork_ahead(session, request.fork->from);
}

// Takes over what the checkpoint that gives the weights says of the model beyond its configuration. Rank 0 alone need
// be able to read it.
void inherit(Session& session, const Start& start) {
    std::string said;
    session.ranks->leader_first("reading the checkpoint's manifest", [&] {
        auto source = start.resumed ? start.resumed : start.forked;
        if (!source && !session.config.train.init_from.empty())
            source = resolve_checkpoint(session.config.train.init_from);
        Json inherited{{"vocab_size", session.tokenizer->vocab_size()}};
        if (source) {
            const auto manifest = read_manifest(*source);
            if (const auto bos = bos_of_manifest(manifest, *source)) inherited["bos"] = name_of(*bos);
            inherited["vocab_size"] = std::max(session.tokenizer->vocab_size(), vocab_size_of(manifest));
        }
        said = inherited.dump();
    });
    const auto inherited = parse_json(session.ranks->from_leader(said));
    session.vocab_size = inherited["vocab_size"].get<std::int64_t>();
    session.bos = bos_of_manifest(inherited, session.run);
}

void load_first_weights(Session& session, const Start& start) {
    if (start.forked) check_fork_weights(*start.forked, session.config, *session.model);
    if (start.resumed) {
        load_weights(*start.resumed, *session.model);
    } else if (start.forked) {
        load_weights(*start.forked, *session.model, fork_positions(*start.forked, session.config));
    } else if (!session.config.train.init_from.empty()) {
        init_from(session);
    }
}

}  // namespace

RunUnits run_units(const TrainingOrder& order, const Config& config, const TrainState& state) {
    const auto base = state.base_updates - (config.train.count_skipped ? 0 : state.base_skipped);
    return {order.tokens_per_update(), order.updates_per_epoch(), static_cast<double>(base), state.base_tokens,
            state.base_epochs};
}

std::int64_t total_updates(const Config& config, const RunUnits& units) {
    const double updates = updates_until(config.train.stop, units);
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
    const auto start = find_start(request, ranks);
    bool foreign_text = false;
    ranks.leader_first("opening the data", [&] {
        open_data(session, request);
        foreign_text = text_is_foreign(request);
        if (request.validate && session.valid == nullptr && session.store)
            check_no_validation(request, start.resumed.has_value());
    });
    if (!ranks.leader()) open_data(session, request);
    if (!ranks.from_leader(foreign_text ? "foreign" : "").empty()) reset_text_keys(session.config);
    if (start.resumed) check_resumed_data(*start.resumed, session);
    ForkPlan fork;
    set_start_and_end(session, start, request, fork);
    inherit(session, start);
    make_model(session);
    ranks.leader_first("reading weights", [&] { load_first_weights(session, start); });
    make_optimizer(session);
    if (start.resumed) resume_from(*start.resumed, session);
    if (start.forked) fork_from(*start.forked, request.fork->from, fork, session);
    session.seconds_before = session.state.train_seconds;
    choose_gemm_library(session, !start.resumed && !start.forked);
    session.state.device = session.device.str();
    session.state.threads = at::get_num_threads();
    session.state.ranks = ranks.world();
    return session;
}

}  // namespace longbow
