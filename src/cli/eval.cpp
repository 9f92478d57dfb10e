// longbow eval: perplexity of a checkpoint at several lengths, one row of results.jsonl each.
#include <torch/types.h>

#include <algorithm>
#include <iostream>

#include "eval_output.h"
#include "longbow/attention/attention_backend.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/config_context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"
#include "longbow/eval/runs.h"
#include "longbow/model/device_memory.h"
#include "longbow/telemetry/log.h"
#include "ranks.h"
#include "verbs.h"

namespace longbow {

namespace {

struct EvalFlags {
    RankOptions ranks;
    std::string checkpoint, data, split = "valid", out, token_logprobs, dtype, attention;
    std::vector<std::string> text;
    std::vector<std::int64_t> lengths;
    EvalRequest request;
    bool json = false, again = false;
};

// The tokens to score: a store's split, or text encoded with the checkpoint's tokenizer.
struct EvalData {
    std::unique_ptr<TokenStore> store;
    std::unique_ptr<TokenStream> text;
    [[nodiscard]] const TokenStream& stream(const std::string& split) const { return store ? store->split(split) : *text; }
};

EvalData open_data(const EvalFlags& flags, const LoadedCheckpoint& checkpoint, int threads) {
    EvalData data;
    if (!flags.text.empty()) {
        data.text = stream_of_text(*checkpoint.tokenizer, flags.text, checkpoint.config.data, threads);
        if (data.text->size() == 0) throw DataError(join(flags.text, ", ") + ": no tokens to score");
        return data;
    }
    data.store = std::make_unique<TokenStore>(flags.data);
    const auto expected = checkpoint.tokenizer->fingerprint();
    if (data.store->tokenizer_fingerprint() != expected) {
        throw DataError(flags.data + " was made with another tokenizer (" + data.store->tokenizer_fingerprint() + ") than the checkpoint " +
                        checkpoint.path.string() + " (" + expected + "): prepare the text with the checkpoint's tokenizer, or use --text");
    }
    return data;
}

// What every row of this call has in common.
struct Description {
    const LoadedCheckpoint& checkpoint;
    std::string split, device, tokenizer, config, config_group;

    void fill(EvalResult& row) const {
        row.name = run_name(checkpoint.path);
        row.position = checkpoint.config.position.method;
        row.train_length = checkpoint.config.train.length;
        row.seed = checkpoint.config.train.seed;
        row.updates = checkpoint.state.updates;
        row.split = split;
        row.device = device;
        row.checkpoint = checkpoint.fingerprint;
        row.tokenizer = tokenizer;
        row.config = config;
        row.config_group = config_group;
    }
};

Description describe(const LoadedCheckpoint& checkpoint, const EvalFlags& flags, const std::string& device) {
    auto config = checkpoint.config;
    const auto print = [&] { return fingerprint(config_json(config, registered_config_context()).dump()); };
    Description description{checkpoint, flags.text.empty() ? flags.split : "text", device, checkpoint.tokenizer->fingerprint(), print(),
                            ""};
    config.train.seed = 0;
    config.train.seeds.clear();
    description.config_group = print();
    return description;
}

// A row as it would be, without its numbers: what results.jsonl is searched for.
EvalResult expected_row(const Description& description, const TokenStream& stream, const EvalRequest& request) {
    EvalResult row;
    description.fill(row);
    row.data = stream.fingerprint();
    row.protocol = request.protocol;
    row.length = request.length;
    row.stride = request.stride == 0 ? default_stride(request.protocol, request.length) : request.stride;
    row.max_stream_tokens = request.max_stream_tokens;
    row.within_documents = request.within_documents;
    row.dtype = request.dtype;
    return row;
}

// Everything that can go wrong without a forward pass, for all lengths, before the first one.
void check_all(const EvalFlags& flags, LoadedCheckpoint& checkpoint, const TokenStream& stream, const std::string& out, bool leader) {
    for (const auto length : flags.lengths) {
        auto request = flags.request;
        request.length = length;
        const auto plan = plan_request(stream, request);
        plan_windows(plan);
        check_length(*checkpoint.model, length);
        if (leader) warn_if_unreached(plan);
    }
    if (!leader) return;
    check_appendable(out);
    if (!flags.token_logprobs.empty()) {
        for (const auto length : flags.lengths) check_creatable(logprobs_path(flags.token_logprobs, length));
    }
}

EvalResult evaluate(const EvalFlags& flags, LoadedCheckpoint& checkpoint, const TokenStream& stream, const EvalRequest& request,
                    const EvalResult& expected, const std::string& out, Communicator& ranks) {
    reset_peak_memory(expected.device);
    const auto key = fingerprint(json_text(to_json(expected)));
    const auto partial = fs::absolute(out).parent_path() / (".eval-" + key.substr(key.size() - 12) + ".partial");
    EvalTiming timing;
    const auto label = expected.name + strprintf(", length %lld", static_cast<long long>(request.length));
    log::info(strprintf("%s: %s windows by protocol %s, stride %lld", label.c_str(),
                        with_commas(static_cast<std::int64_t>(plan_windows(plan_request(stream, request)).size())).c_str(),
                        request.protocol.c_str(), static_cast<long long>(expected.stride)));
    const auto nll = evaluate_tokens(*checkpoint.model, stream, request, label, partial, &timing, evaluation_share(ranks));
    auto row = summarise(nll, stream, request);
    row.tokens_per_second = timing.seconds > 0 ? static_cast<double>(timing.tokens) / timing.seconds : 0;
    row.visited_fraction = timing.visited_fraction;
    row.peak_memory_mb = peak_memory_mb(expected.device);
    if (!flags.token_logprobs.empty() && ranks.leader()) write_logprobs(logprobs_path(flags.token_logprobs, request.length), nll);
    return row;
}

// The checkpoint's model is made anew where the flags ask for another type or another attention: it chooses its parts by them.
void choose_model(const EvalFlags& flags, LoadedCheckpoint& checkpoint) {
    auto& backend = checkpoint.config.attention.backend;
    const bool same_backend = flags.attention.empty() || flags.attention == backend;
    if (same_backend && flags.request.dtype == checkpoint.config.train.dtype) return;
    if (!same_backend) backend = flags.attention;  // the row's configuration says so too
    auto config = checkpoint.config;
    config.train.dtype = flags.request.dtype;
    checkpoint.model = make_language_model(config, checkpoint.model->vocab_size());
    load_weights(checkpoint.path, *checkpoint.model);
}

int eval(EvalFlags& flags, const Ranked& ranked) {
    auto& ranks = *ranked.ranks;
    install_stop_handlers();
    flags.lengths = distinct_lengths(flags.lengths);
    for (const auto length : flags.lengths) check_plan({flags.request.protocol, length, flags.request.stride, 0, {}});
    if (flags.data.empty() == flags.text.empty()) throw UsageError("longbow eval needs either --data STORE or --text FILE");
    if (!flags.token_logprobs.empty() && flags.lengths.size() > 1 && flags.token_logprobs.find("{length}") == std::string::npos) {
        throw UsageError("--token-logprobs with several lengths needs {length} in the file name, e.g. logprobs-{length}.npy");
    }
    const auto& device = ranked.device;
    ranks.stage("reading the checkpoint and the text", /*patient=*/true);
    auto checkpoint = load_checkpoint(resolve_checkpoint(flags.checkpoint));
    flags.request.dtype = !flags.dtype.empty() ? flags.dtype : checkpoint.config.train.dtype == "fp64" ? "fp64" : "fp32";
    choose_model(flags, checkpoint);
    checkpoint.model->to(torch::Device(device));

    const auto data = open_data(flags, checkpoint, ranked.threads);
    const auto& stream = data.stream(flags.split);
    const auto out = flags.out.empty() ? (run_folder(checkpoint.path) / "results.jsonl").string() : flags.out;
    check_all(flags, checkpoint, stream, out, ranks.leader());
    const auto description = describe(checkpoint, flags, device);
    const auto known = ranks.leader() ? read_results(out) : std::vector<EvalResult>();

    std::vector<EvalResult> rows;
    for (const auto length : flags.lengths) {
        auto request = flags.request;
        request.length = length;
        const auto expected = expected_row(description, stream, request);
        const auto found =
            std::find_if(known.rbegin(), known.rend(), [&](const EvalResult& row) { return same_measurement(row, expected); });
        const bool there = found != known.rend() && !flags.again;
        if (!ranks.from_leader(there && flags.token_logprobs.empty() ? "there" : "").empty()) {
            if (!ranks.leader()) continue;
            log::info(strprintf("length %lld: already in %s (--again measures anew)", static_cast<long long>(length), out.c_str()));
            rows.push_back(*found);
        } else {
            rows.push_back(evaluate(flags, checkpoint, stream, request, expected, out, ranks));
            if (!ranks.leader()) continue;
            description.fill(rows.back());
            if (!there) append_result(out, rows.back());
        }
        if (flags.json) std::cout << json_text(to_json(rows.back())) << std::endl;
    }
    if (!flags.json && ranks.leader()) std::cout << eval_table(rows);
    return 0;
}

void add_eval(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<EvalFlags>();
    auto* verb = add_verb(app, context, "eval", "Perplexity of a checkpoint at several lengths",
                          "longbow eval runs/alibi --data data/corpora/austen/store --lengths 64,128,256,512,1024\n"
                          "  longbow eval runs/alibi@last --text my.txt --lengths 512 --stride 256 --json");
    auto& request = flags->request;
    verb->add_option("CHECKPOINT", flags->checkpoint, "Run directory (its best), checkpoint directory, RUN@last or RUN@step=N")->required();
    verb->add_option("--data", flags->data, "Token store (longbow prepare)")->type_name("STORE");
    verb->add_option("--text", flags->text, "Text file, encoded with the checkpoint's tokenizer; may be repeated")
        ->type_name("FILE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
    verb->add_option("--split", flags->split, "Split of the store")->capture_default_str()->type_name("NAME");
    verb->add_option("--lengths", flags->lengths, "Evaluation lengths, e.g. 512,1024")
        ->delimiter(',')
        ->required()
        ->type_name("L,..")
        ->check(CLI::PositiveNumber);
    verb->add_option("--stride", request.stride, "Targets a window, with up to length - stride tokens of context; default: the protocol's")
        ->check(CLI::PositiveNumber)
        ->type_name("S");
    verb->add_option("--protocol", request.protocol, "paper | hf | lm-eval | llamacpp (docs/evaluation.md)")
        ->capture_default_str()
        ->type_name("NAME");
    verb->add_flag("--within-documents", request.within_documents, "Windows begin anew at each document");
    verb->add_option("--max-tokens", request.max_batch_tokens, "Input tokens a forward pass")
        ->capture_default_str()
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    verb->add_option("--max-stream-tokens", request.max_stream_tokens, "Only the first N tokens of the split")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    verb->add_option("--dtype", flags->dtype, "fp64 | fp32 | bf16 | fp16; default: fp32 (fp64 for a checkpoint trained so)")
        ->check(CLI::IsMember({"fp64", "fp32", "bf16", "fp16"}))
        ->type_name("DTYPE");
    auto backends = attention_backend_names();
    backends.emplace_back("auto");
    verb->add_option("--attention", flags->attention, join(backends, " | ") + "; default: as the checkpoint's configuration says")
        ->check(CLI::IsMember(backends))
        ->type_name("BACKEND");
    verb->add_option("--out", flags->out, "results.jsonl to add to; default: the run's")->type_name("FILE");
    verb->add_option("--token-logprobs", flags->token_logprobs,
                     "NumPy file of one log-probability a scored token; {length} stands for the length")
        ->type_name("FILE.npy");
    verb->add_flag("--json", flags->json, "Rows as JSON lines on standard output");
    verb->add_flag("--again", flags->again, "Measure again what results.jsonl has already");
    add_rank_arguments(verb, flags->ranks);
    run_with(verb, context, [flags](const CommonOptions& common) {
        return run_ranked(flags->ranks, common, DistConfig{}.timeout, [&](const Ranked& ranked) { return eval(*flags, ranked); });
    });
}
LONGBOW_REGISTER_VERB(30, add_eval);

}  // namespace

}  // namespace longbow
