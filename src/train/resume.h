// Decides whether a run is resumed, from which checkpoint, and whether its settings and data allow it.
#pragma once

#include <filesystem>
#include <optional>

#include "fork.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct Session;

// Depends on request.resume: the newest whole checkpoint of the run (auto), none (never; UsageError if the run has
// any), or the named one.
std::optional<std::filesystem::path> checkpoint_to_resume(const TrainRequest& request);
// Throws ConfigError that names the keys whose values differ from the checkpoint's and decide the weights. Keys that
// name data are left to check_resumed_data(), which compares the data themselves.
void check_resumed_config(const std::filesystem::path& checkpoint, const TrainRequest& request);
// Throws DataError if the store's training split or tokenizer is not the one that the checkpoint was trained on. Logs
// when the same data now lie elsewhere.
void check_resumed_data(const std::filesystem::path& checkpoint, const Session& session);
// Loads the optimizer's state, and brings the run directory to the state of the checkpoint. session.state was set
// before.
void resume_from(const std::filesystem::path& checkpoint, Session& session);
// Loads the optimizer's state as far as the plan takes it over, and logs what is taken over. `from` is the source as
// the user named it.
void fork_from(const std::filesystem::path& checkpoint, const std::string& from, const ForkPlan& plan,
               Session& session);

}  // namespace longbow
