// longbow analyze: why a number is what it is.
#include <c10/core/Device.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"
#include "longbow/eval/runs.h"
#include "longbow/experiments/early_token.h"
#include "longbow/telemetry/log.h"
#include "verbs.h"

namespace longbow {

namespace {

struct EarlyTokenFlags {
    std::string checkpoint, data, split = "valid", out;
    std::vector<std::int64_t> lengths;
    EvalRequest request;
    bool json = false;
};

TokenStore open_store_for(const LoadedCheckpoint& checkpoint, const std::string& path) {
    TokenStore store(path);
    const auto expected = checkpoint.tokenizer->fingerprint();
    if (store.tokenizer_fingerprint() != expected) {
        throw DataError(path + " was made with another tokenizer (" + store.tokenizer_fingerprint() + ") than the checkpoint " +
                        checkpoint.path.string() + " (" + expected + "): prepare the text with the checkpoint's tokenizer");
    }
    return store;
}

int early_token(EarlyTokenFlags& flags, const CommonOptions& common) {
    install_stop_handlers();
    flags.lengths = distinct_lengths(flags.lengths);
    std::sort(flags.lengths.begin(), flags.lengths.end());
    if (flags.lengths.size() < 2) throw UsageError("longbow analyze early-token compares lengths: give two or more, e.g. --lengths 64,256");
    if (flags.request.stride == 0) flags.request.stride = std::max<std::int64_t>(1, flags.lengths.front() / 4);
    if (flags.request.stride >= flags.lengths.front()) {
        throw UsageError(strprintf("--stride %lld leaves windows of the shortest length, %lld, no context: take less",
                                   static_cast<long long>(flags.request.stride), static_cast<long long>(flags.lengths.front())));
    }
    const auto device = resolve_device(common.device);
    auto checkpoint = load_checkpoint(resolve_checkpoint(flags.checkpoint));
    if (checkpoint.config.train.dtype == "fp64") flags.request.dtype = "fp64";
    checkpoint.model->to(c10::Device(device));
    const auto store = open_store_for(checkpoint, flags.data);
    const auto& stream = store.split(flags.split);
    for (const auto length : flags.lengths) {
        check_length(*checkpoint.model, length);
        auto request = flags.request;
        request.length = length;
        warn_if_unreached(plan_request(stream, request));
    }
    const auto name = run_name(checkpoint.path);
    if (!flags.out.empty()) fs::create_directories(flags.out);

    std::vector<EarlyTokenLength> rows;
    std::vector<std::vector<float>> apart, sliding;
    const auto measure = [&](std::int64_t length, std::int64_t stride, std::vector<std::vector<float>>& series) {
        auto request = flags.request;
        request.length = length;
        request.stride = stride;
        series.push_back(
            evaluate_tokens(*checkpoint.model, stream, request,
                            strprintf("length %lld, stride %lld", static_cast<long long>(length), static_cast<long long>(stride))));
        auto row = summarise(series.back(), stream, request);
        row.name = name;
        row.position = checkpoint.config.position.method;
        row.train_length = checkpoint.config.train.length;
        row.split = flags.split;
        return row;
    };
    for (const auto length : flags.lengths) {
        EarlyTokenLength row;
        row.apart = measure(length, length, apart);
        row.sliding = measure(length, flags.request.stride, sliding);
        rows.push_back(std::move(row));
    }
    const auto analysis = analyse_early_tokens(std::move(rows), apart, sliding);
    const auto json = json_text(early_token_json(analysis), 2) + "\n";
    std::cout << (flags.json ? json : early_token_text(analysis));
    if (flags.out.empty()) return 0;
    write_file_atomic(fs::path(flags.out) / "early-token.json", json);
    write_file_atomic(fs::path(flags.out) / "early-token.svg", early_token_svg(analysis));
    log::info("wrote " + (fs::path(flags.out) / "early-token.{json,svg}").string());
    return 0;
}

void add_analyze(CLI::App& app, VerbContext& context) {
    const char* example =
        "longbow analyze early-token runs/alibi --data data/corpora/austen/store --lengths 64,256,1024 --out runs/alibi/early-token";
    auto* group = add_verb_group(app, "analyze", "Say why a result is what it is", example);
    auto flags = std::make_shared<EarlyTokenFlags>();
    auto* verb = add_verb(*group, context, "early-token",
                          "How much of the gain from longer inputs is the early-token curse (appendix B of the ALiBi paper)", example);
    verb->add_option("CHECKPOINT", flags->checkpoint, "Run directory (its best), checkpoint directory, RUN@last or RUN@step=N")->required();
    verb->add_option("--data", flags->data, "Token store (longbow prepare)")->type_name("STORE")->required();
    verb->add_option("--split", flags->split, "Split of the store")->capture_default_str()->type_name("NAME");
    verb->add_option("--lengths", flags->lengths, "Evaluation lengths, two or more")
        ->delimiter(',')
        ->required()
        ->type_name("L,..")
        ->check(CLI::PositiveNumber);
    verb->add_option("--stride", flags->request.stride,
                     "Of the sliding windows; default: a quarter of the shortest length (the paper's: 1)")
        ->check(CLI::PositiveNumber)
        ->type_name("S");
    verb->add_option("--max-stream-tokens", flags->request.max_stream_tokens, "Only the first N tokens of the split")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    verb->add_option("--out", flags->out, "Folder for early-token.json and the figure early-token.svg")->type_name("DIR");
    verb->add_flag("--json", flags->json, "JSON on standard output instead of text");
    run_with(verb, context, [flags](const CommonOptions& common) { return early_token(*flags, common); });
}
LONGBOW_REGISTER_VERB(45, add_analyze);

}  // namespace

}  // namespace longbow
