// The learning rates of a run: the schedule's lengths in updates, and what a train.stop that was raised makes of them.
#pragma once

#include <string>

#include "session.h"

namespace longbow {

// Warm-up and period in updates; the period once a run, so that a later train.stop leaves the learning rates as they are.
void resolve_schedule(Session& session);

// "0.01", "from 0.005 to 0.001": of the next update and of the last one.
std::string rates_ahead(const Session& session);

// A run that goes on with a later train.stop than `before` had: says at which learning rates. Throws ConfigError where they would be 0, with
// the command that forks the run.
void check_raised_stop(const Session& session, const Config& before);
// The same of a fork, whose next update would run at 0; or which has nothing left to do.
void check_fork_ahead(const Session& session, const std::string& from);

}  // namespace longbow
