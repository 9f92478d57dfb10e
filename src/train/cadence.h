// Converts durations in updates, epochs, tokens or seconds to updates, and says when something periodic is due.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"

namespace longbow {

struct RunUnits {
    double tokens_per_update = 0;
    double updates_per_epoch = 0;
    // For a run that was forked from one with other units: how many updates, tokens and epochs it had behind it.
    double base_updates = 0, base_tokens = 0, base_epochs = 0;

    // Returns the epochs seen after `updates` updates.
    [[nodiscard]] double epochs_at(double updates) const {
        return base_epochs + (updates - base_updates) / updates_per_epoch;
    }
};

// Returns the duration in updates, not rounded; -1 if it is a time.
double fractional_updates(const Duration& duration, const RunUnits& units);
// Returns the update at which a run has gone this far from its beginning, which is fractional_updates() if the run has
// no base. A duration that ends before the base is converted in proportion.
double updates_until(const Duration& duration, const RunUnits& units);

class Cadence {
public:
    Cadence() = default;  // never due
    // A value of 0 is never due.
    Cadence(const Duration& every, const RunUnits& units, double seconds_now);
    // Returns whether it is due after update number `update` (the first is 1), `seconds` into the run. In updates,
    // epochs and tokens this is a pure function of the update, so that a resumed run keeps the rhythm.
    bool due(std::int64_t update, double seconds);

private:
    double period_updates_ = 0;
    double period_seconds_ = 0;
    double next_seconds_ = 0;
};

}  // namespace longbow
