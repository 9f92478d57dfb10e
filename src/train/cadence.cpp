#include "cadence.h"

#include <cmath>

namespace longbow {

double fractional_updates(const Duration& duration, const RunUnits& units) {
    switch (duration.unit) {
        case Duration::Unit::updates: return duration.value;
        case Duration::Unit::epochs: return duration.value * units.updates_per_epoch;
        case Duration::Unit::tokens: return duration.value / units.tokens_per_update;
        case Duration::Unit::seconds: break;
    }
    return -1;
}

double updates_until(const Duration& duration, const RunUnits& units) {
    const auto until = [&](double base, double an_update) {
        if (duration.value >= base) return units.base_updates + (duration.value - base) * an_update;
        return units.base_updates * duration.value / base;
    };
    if (duration.unit == Duration::Unit::epochs) return until(units.base_epochs, units.updates_per_epoch);
    if (duration.unit == Duration::Unit::tokens) {
        // fractional_updates() divides; without a base the result must have the same bits.
        if (units.base_updates == 0) return fractional_updates(duration, units);
        return until(units.base_tokens, 1 / units.tokens_per_update);
    }
    return fractional_updates(duration, units);
}

Cadence::Cadence(const Duration& every, const RunUnits& units, double seconds_now) {
    if (every.unit == Duration::Unit::seconds) {
        period_seconds_ = every.value;
        next_seconds_ = seconds_now + period_seconds_;
    } else {
        period_updates_ = fractional_updates(every, units);
    }
}

bool Cadence::due(std::int64_t update, double seconds) {
    if (period_seconds_ > 0) {
        if (seconds < next_seconds_) return false;
        next_seconds_ = seconds + period_seconds_;
        return true;
    }
    if (period_updates_ <= 0) return false;
    const auto u = static_cast<double>(update);
    return std::floor(u / period_updates_) > std::floor((u - 1) / period_updates_);
}

}  // namespace longbow
