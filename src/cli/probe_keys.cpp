// longbow probe keys: perplexity of the tokens for which, as another run judges, a long context matters.
#include "longbow/probe/key_probe.h"

#include <optional>
#include <utility>

#include "eval_flags.h"
#include "longbow/core/error.h"
#include "longbow/eval/measured_text.h"
#include "probe.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct KeyFlags : ProbeFlags {
    TextSource text;
    std::string evaluator;
    KeyWindows windows;
};

// The evaluator, and the key tokens that it has found for each kind of windows.
class Judge {
public:
    // `first` is a run that is to be measured. What it cannot have is found before a public evaluator is imported.
    Judge(const KeyFlags& flags, MeasuredText& text, const MeasuredRun& first) : flags_(flags), text_(text) {
        auto choice = flags.model;
        choice.overrides.clear();
        auto runs = load_runs({flags.evaluator}, choice, [&](const MeasuredRun& evaluator) {
            (void)windows_of(first, evaluator, flags.windows);
            (void)text.stream(evaluator);
        });
        if (runs.size() != 1)
            throw UsageError("--evaluator " + flags.evaluator + " is a folder of runs: name one of them");
        run_ = std::move(runs.front());
    }

    [[nodiscard]] const MeasuredRun& run() const { return run_; }

    const std::vector<bool>& keys(const KeyWindows& windows, const std::string& device) {
        for (const auto& [known, keys] : known_) {
            if (known == windows) return keys;
        }
        const auto& stream = text_.stream(run_);
        auto& model = model_on_device(run_, device);
        const auto shorter = sliding_losses(model, stream, windows.shorter, windows, run_.dtype, flags_.options);
        const auto longer = sliding_losses(model, stream, windows.longer, windows, run_.dtype, flags_.options);
        run_.checkpoint.model.reset();
        return known_.emplace_back(windows, key_tokens(shorter, longer, windows)).second;
    }

private:
    const KeyFlags& flags_;
    MeasuredText& text_;
    MeasuredRun run_;
    std::vector<std::pair<KeyWindows, std::vector<bool>>> known_;
};

int probe_keys(const KeyFlags& flags, const CommonOptions& common) {
    check_one_text(flags.text, "longbow probe keys");
    if (flags.evaluator.empty()) {
        throw UsageError(
            "longbow probe keys needs --evaluator RUN: which tokens are key ones is judged by another model than "
            "those that are measured, or the number would be circular");
    }
    MeasuredText text(flags.text, common.threads);
    std::optional<Judge> judge;  // opened when the process is set up
    return run_probe(flags, common,
                     {[&](const MeasuredRun& run) {
                          if (!judge) judge.emplace(flags, text, run);
                          (void)windows_of(run, judge->run(), flags.windows);
                          (void)text.stream(run);
                      },
                      [&](MeasuredRun& run, LanguageModel& model, const std::string& device) {
                          const auto windows = windows_of(run, judge->run(), flags.windows);
                          const auto& keys = judge->keys(windows, device);
                          const auto& stream = text.stream(run);
                          auto row = probe_row("keys", run, flags.options, /*generator=*/1);
                          row["seed"] = nullptr;  // nothing is drawn
                          row["data"] = stream.fingerprint();
                          row["evaluator"] = judge->run().name;
                          row["evaluator_checkpoint"] = judge->run().checkpoint.fingerprint;
                          const auto nll =
                              sliding_losses(model, stream, windows.longer, windows, run.dtype, flags.options);
                          std::vector<Json> rows{key_row(std::move(row), nll, keys, windows)};
                          name_text(rows, text);
                          return rows;
                      },
                      key_table});
}

void add_probe_keys(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<KeyFlags>();
    auto* verb = add_verb(
        probe_group(app), context, "keys",
        "Perplexity of the tokens for which a long context matters, as another run judges",
        "longbow probe keys runs/alibi runs/rotary --evaluator runs/alibi-512 --data data/corpora/austen/store");
    add_probe_flags(verb, *flags);
    add_text_flags(verb, flags->text);
    auto& windows = flags->windows;
    verb->add_option("--evaluator", flags->evaluator,
                     "Run that judges which tokens are key ones; none of those that are measured")
        ->type_name("RUN");
    verb->add_option("--short", windows.shorter, "Tokens of the short context; default: each run's trained length")
        ->check(whole_number())
        ->type_name("K");
    verb->add_option("--long", windows.longer,
                     "Tokens of the long context, also of the measurement; default: the evaluator's trained length")
        ->check(whole_number())
        ->type_name("L");
    verb->add_option("--stride", windows.stride, "Targets a window; default: a quarter of the short context")
        ->check(whole_number())
        ->type_name("S");
    verb->add_option("--max-stream-tokens", windows.max_stream_tokens, "Only the first N tokens of the split")
        ->check(whole_number())
        ->type_name("N");
    run_with(verb, context, [flags](const CommonOptions& common) { return probe_keys(*flags, common); });
}

LONGBOW_REGISTER_VERB(58, add_probe_keys);

}  // namespace

}  // namespace longbow
