// Whether and from where a run goes on, and whether it may.
#pragma once

#include <filesystem>
#include <optional>

#include "fork.h"
#include "longbow/train/trainer.h"

namespace longbow {

struct Session;

// By request.resume: the newest whole checkpoint of the run (auto), none (never; UsageError if the run has any), or the one named.
std::optional<std::filesystem::path> checkpoint_to_resume(const TrainRequest& request);
// ConfigError naming the keys that differ from the checkpoint's, apart from those that may, and from those that name data:
// check_resumed_data() looks at what they name.
void check_resumed_config(const std::filesystem::path& checkpoint, const TrainRequest& request);
// DataError when the store's training split or tokenizer is not the one that the checkpoint was trained on. Says so when the same data lie
// elsewhere now.
void check_resumed_data(const std::filesystem::path& checkpoint, const Session& session);
// The optimizer's state, and the run directory as the checkpoint left it. The state itself is in the session.
void resume_from(const std::filesystem::path& checkpoint, Session& session);
// The optimizer's state as far as it is taken over; says what is. `from`: as the user named the checkpoint.
void fork_from(const std::filesystem::path& checkpoint, const std::string& from, const ForkPlan& plan, Session& session);

}  // namespace longbow
