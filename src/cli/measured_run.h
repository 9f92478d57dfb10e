// The checkpoints that a command measures, one after the other: all are checked before the first forward pass, each has its model when its
// turn comes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/data/token_store.h"

namespace longbow {

// As given on the command line; empty: as the checkpoint says.
struct ModelChoice {
    std::string dtype, attention;
};

struct MeasuredRun {
    LoadedCheckpoint checkpoint;   // its configuration holds the attention that was chosen; its model may be absent until ready_model()
    std::filesystem::path folder;  // RUN of RUN/checkpoints/step-N; else the checkpoint's own folder (an imported one)
    std::string name;              // for tables and rows
    DType dtype = DType::fp32;     // of the computation
    std::string tokenizer;         // fingerprint
    [[nodiscard]] std::int64_t vocab_size() const { return checkpoint.manifest["vocab_size"].get<std::int64_t>(); }
};

// What the arguments stand for, in order and each once: RUN, RUN@last and the like (resolve_checkpoint()), or a folder of runs, of seeds
// say, which stands for all of them (also FOLDER@last). Each is verified and loaded. `check` sees every run with its model on the CPU; what it
// throws is thrown on with the run's name where there are several. Throws CheckpointError that names the damaged file.
std::vector<MeasuredRun> load_runs(const std::vector<std::string>& arguments, const ModelChoice& choice,
                                   const std::function<void(MeasuredRun&)>& check);

// The run's model on the device, for its computation's type and its attention. Drop run.checkpoint.model once it is measured.
LanguageModel& ready_model(MeasuredRun& run, const std::string& device);

// Does the work and adds the run's name to what goes wrong, unless it is an interruption.
void named(const MeasuredRun& run, const std::function<void()>& work);

// The tokens to score: a store's split, opened once, or text encoded with each checkpoint's tokenizer.
class MeasuredText {
public:
    // Either a store or text files. With `assumed` tokens (of a dry run; 0: none) a store need not be there: as many of any kind take its
    // place.
    MeasuredText(const std::string& store, std::vector<std::string> files, std::string split, int threads, std::int64_t assumed = 0);
    // Throws DataError: another tokenizer than the store's, no such split, no text.
    const TokenStream& stream(const MeasuredRun& run);
    // The split's name, for rows.
    [[nodiscard]] std::string split() const { return files_.empty() ? split_ : "text"; }
    // There is no store: so many tokens are assumed.
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
    std::vector<Encoded> encoded_;  // once for all runs that cut text alike
};

}  // namespace longbow
