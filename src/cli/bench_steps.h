// Times a piece of work that a verb of `longbow bench` repeats: an update, or an evaluation.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "verbs.h"

namespace longbow {

struct StepFlags {
    int steps = 7;
    int warmup = 3;
    bool json = false;
    bool serve = false;
    bool profile = false;
};

// Adds --steps, --warmup-steps, --json, --serve and --profile. `unit` names the work in their help ("update").
void add_step_flags(CLI::App* verb, StepFlags& flags, const std::string& unit);

struct StepTimes {
    std::vector<double> seconds;  // sorted
    [[nodiscard]] double least() const { return seconds.front(); }
    [[nodiscard]] double median() const { return seconds[seconds.size() / 2]; }
};

// Runs `step`, which returns its seconds, as the flags say: after the warm-up it serves a driver, prints a profile, or
// is timed and reported by `report`.
void run_steps(const StepFlags& flags, const std::string& unit, const std::function<double()>& step,
               const std::function<void(const StepTimes&)>& report);

}  // namespace longbow
