// Plans the learning rates of a run: the schedule's lengths in updates, and how a raised train.stop affects them.
#pragma once

#include <string>

#include "session.h"

namespace longbow {

// Sets warm-up and period in updates. The period is set only once for a run, so that a later train.stop leaves the
// learning rates as they are.
void resolve_schedule(Session& session);

// Returns the learning rates of the next update and of the last one: "0.01", "from 0.005 to 0.001".
std::string rates_ahead(const Session& session);

// Logs the learning rates ahead of a run that continues with a later train.stop than `before` had. Throws ConfigError
// if they would be 0; the message has the command that forks the run.
void check_raised_stop(const Session& session, const Config& before);
// Makes the same check for a fork, whose next update would run at a learning rate of 0, or which has nothing left to
// train.
void check_fork_ahead(const Session& session, const std::string& from);

}  // namespace longbow
