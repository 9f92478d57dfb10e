#include "longbow/dist/launch.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdlib>

#include "longbow/core/error.h"

namespace longbow {

namespace {

// Reads variables of the environment and throws UsageError that names a bad one. `who` is the launcher, for the
// message.
class Variables {
public:
    Variables(const Environment& environment, std::string who) : environment_(environment), who_(std::move(who)) {}

    [[nodiscard]] std::string text(const char* name, std::optional<std::string> otherwise = {}) const {
        const char* value = environment_(name);
        if (value != nullptr && *value != '\0') return value;
        if (otherwise) return *otherwise;
        throw UsageError(std::string(name) + " is not set in the environment, though " + who_ +
                         " started this process: set it, or start with --nproc");
    }
    [[nodiscard]] int number(const char* name, int low, int high, std::optional<int> otherwise = {}) const {
        const auto value = text(name, otherwise ? std::optional(std::to_string(*otherwise)) : std::nullopt);
        int number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error != std::errc{} || end != value.data() + value.size() || number < low || number > high) {
            throw UsageError(
                fmt::format("{}={} in the environment: expected a number from {} to {}", name, value, low, high));
        }
        return number;
    }
    [[nodiscard]] bool has(const char* name) const {
        const char* value = environment_(name);
        return value != nullptr && *value != '\0';
    }

private:
    const Environment& environment_;
    std::string who_;
};

constexpr int kMostRanks = 1 << 20;

Launch from_torchrun(const Environment& environment) {
    const Variables read(environment, "torchrun");
    Launch launch;
    launch.source = read.has("LONGBOW_NPROC") ? "--nproc" : "torchrun";
    launch.world = read.number("WORLD_SIZE", 1, kMostRanks);
    launch.rank = read.number("RANK", 0, launch.world - 1);
    launch.local_world = read.number("LOCAL_WORLD_SIZE", 1, launch.world, launch.world);
    launch.local_rank = read.number("LOCAL_RANK", 0, kMostRanks, launch.rank);
    launch.address = read.text("MASTER_ADDR");
    launch.port = read.number("MASTER_PORT", 1, 65535);
    launch.launcher_serves_store = read.text("TORCHELASTIC_USE_AGENT_STORE", "") == "True";
    launch.attempt = read.text("TORCHELASTIC_RESTART_COUNT", "0");
    return launch;
}

Launch from_slurm(const Environment& environment) {
    const Variables read(environment, "srun");
    Launch launch;
    launch.source = "Slurm";
    launch.world = read.number("SLURM_STEP_NUM_TASKS", 1, kMostRanks);
    launch.rank = read.number("SLURM_PROCID", 0, launch.world - 1);
    launch.local_rank = read.number("SLURM_LOCALID", 0, kMostRanks);
    launch.local_world = launch.world / read.number("SLURM_STEP_NUM_NODES", 1, launch.world, 1);
    launch.address = read.has("MASTER_ADDR") ? read.text("MASTER_ADDR") : first_host(read.text("SLURM_STEP_NODELIST"));
    // The port lies above the range that clients draw theirs from (32768-60999 on Linux), and differs for each job on a
    // host.
    const auto job =
        read.number("SLURM_JOB_ID", 0, 2147483647, 0) + read.number("SLURM_STEP_ID", 0, 2147483647, 0) % 16;
    launch.port = read.number("MASTER_PORT", 1, 65535, 61000 + job % 4500);
    launch.attempt = read.text("SLURM_RESTART_COUNT", "0");
    return launch;
}

}  // namespace

std::string first_host(const std::string& nodelist) {
    const auto end = nodelist.find_first_of(",[");
    if (end == std::string::npos || nodelist[end] == ',') return nodelist.substr(0, end);
    const auto number = nodelist.substr(end + 1, nodelist.find_first_of("-,]", end) - end - 1);
    const auto close = nodelist.find(']', end);
    const auto tail = close == std::string::npos
                          ? std::string()
                          : nodelist.substr(close + 1, nodelist.find_first_of(",[", close) - close - 1);
    return nodelist.substr(0, end) + number + tail;
}

Launch launch_from(const Environment& environment) {
    const Variables read(environment, "");
    if (read.has("RANK") && read.has("WORLD_SIZE")) return from_torchrun(environment);
    if (read.has("SLURM_STEP_NUM_TASKS") && read.number("SLURM_STEP_NUM_TASKS", 1, kMostRanks) > 1)
        return from_slurm(environment);
    return {};
}

Launch launch_from_environment() {
    return launch_from([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace longbow
