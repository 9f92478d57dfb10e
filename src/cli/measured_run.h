// Opens the checkpoints that a command measures one after the other. All are checked before the first forward pass;
// each has its model in memory only while it is measured.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/data/token_store.h"

namespace longbow {

// Holds the user's choice of type and attention. An empty text means the checkpoint's own.
struct ModelChoice {
    std::string dtype, attention;
};

struct MeasuredRun {
    // Its configuration has the chosen attention; its model may be null until ready_model().
    LoadedCheckpoint checkpoint;
    std::filesystem::path folder;  // RUN of RUN/checkpoints/step-N; else the checkpoint's own folder (an imported one)
    std::string name;              // for tables and rows
    DType dtype = DType::fp32;     // of the computation
    std::string tokenizer;         // fingerprint
    [[nodiscard]] std::int64_t vocab_size() const { return checkpoint.manifest["vocab_size"].get<std::int64_t>(); }
};

// Loads what the arguments stand for, in order and each once: RUN, RUN@last and the like (resolve_checkpoint()), or a
// folder of runs (for example of seeds), which stands for all of them (FOLDER@last too). Each checkpoint is verified.
// `check` sees every run with its model on the CPU; what it throws is thrown on, with the run's name if there are
// several. Throws CheckpointError that names the damaged file.
std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(MeasuredRun&)>& check);

// Returns the run's model on the device, built for the chosen type and attention. Reset run.checkpoint.model after
// measuring it.
LanguageModel& ready_model(MeasuredRun& run, const std::string& device);

// Runs `work` and adds the run's name to the message of an Error, unless it is an InterruptedError.
void named(const MeasuredRun& run, const std::function<void()>& work);

// Provides the tokens to score: a store's split, opened once, or text encoded with each checkpoint's tokenizer.
class MeasuredText {
public:
    // Takes either a store or text files. If `assumed` is above 0 (in a dry run) the store need not exist; that many
    // arbitrary tokens then take its place.
    MeasuredText(const std::string& store, std::vector<std::string> files, std::string split, int threads, std::int64_t assumed = 0);
    // Returns the stream to score for this run. Throws DataError if the store has another tokenizer or no such split,
    // or the text is empty.
    const TokenStream& stream(const MeasuredRun& run);
    // Returns the split's name, for rows.
    [[nodiscard]] std::string split() const { return files_.empty() ? split_ : "text"; }
    // Returns whether the store does not exist and its tokens are assumed; assumed() is their number.
    [[nodiscard]] bool is_assumed() const { return assumed_ > 0; }
    [[nodiscard]] std::int64_t assumed() const { return assumed_; }

private:
    const TokenStream& encoded(const MeasuredRun& run);
    [[nodiscard]] std::unique_ptr<TokenStream> assumed_for(const MeasuredRun& run) const;

    std::unique_ptr<TokenStore> store_;
    std::vector<std::string> files_;
    std::string split_;
    int threads_;
    std::int64_t assumed_ = 0;
    struct Encoded {
        std::string tokenizer;
        DataConfig data;
        std::unique_ptr<TokenStream> stream;
    };
    std::vector<Encoded> encoded_;  // shared by runs that cut and encode text alike
};

}  // namespace longbow
