// When something that is to happen every so often is due, and how long a run is, in whichever unit the configuration says.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"

namespace longbow {

struct RunUnits {
    double tokens_per_update = 0;
    double updates_per_epoch = 0;
    // What lies behind a run that was forked from one of other units: after so many updates, so many tokens and epochs had been seen.
    double base_updates = 0, base_tokens = 0, base_epochs = 0;

    // Epochs seen after so many updates.
    [[nodiscard]] double epochs_at(double updates) const { return base_epochs + (updates - base_updates) / updates_per_epoch; }
};

// A stretch of training in updates, not rounded; -1 for durations in time.
double fractional_updates(const Duration& duration, const RunUnits& units);
// The update at which a run has gone so far, from its beginning; the same without a base. Within what lies before the base, in proportion.
double updates_until(const Duration& duration, const RunUnits& units);

class Cadence {
public:
    Cadence() = default;  // never
    // A value of 0 is never.
    Cadence(const Duration& every, const RunUnits& units, double seconds_now);
    // After update number `update` (1 is the first), `seconds` into the run. In updates, epochs and tokens a pure function of the update,
    // so that a resumed run keeps the beat.
    bool due(std::int64_t update, double seconds);

private:
    double period_updates_ = 0;
    double period_seconds_ = 0;
    double next_seconds_ = 0;
};

}  // namespace longbow
