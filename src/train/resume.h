// Whether and from where a run goes on, and whether it may.
#pragma once

#include <filesystem>
#include <optional>

#include "longbow/train/trainer.h"

namespace longbow {

struct Session;

// By request.resume: the newest whole checkpoint of the run (auto), none (never; UsageError if the run has any), or the one named.
std::optional<std::filesystem::path> checkpoint_to_resume(const TrainRequest& request);
// ConfigError naming the keys that differ from the checkpoint's, apart from those that may.
void check_resumed_config(const std::filesystem::path& checkpoint, const Config& config);
// DataError when the store's training split or tokenizer is not the one that the checkpoint was trained on.
void check_resumed_data(const std::filesystem::path& checkpoint, const Session& session);
// Weights, optimizer and state.
void resume_from(const std::filesystem::path& checkpoint, Session& session);

}  // namespace longbow
