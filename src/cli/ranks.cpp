#include "ranks.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/input.h"
#include "longbow/core/output.h"
#include "longbow/dist/launch.h"
#include "longbow/dist/spawn.h"
#include "longbow/telemetry/log.h"
#include "whole_number.h"

namespace longbow {

namespace {

int rank_of_messages = 0;

// Returns the arguments of this process (without the program's name), with which --nproc starts the ranks.
std::vector<std::string> own_arguments() {
    std::vector<std::string> words;
    const auto text = read_file("/proc/self/cmdline");
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\0', begin), text.size());
        words.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    words.erase(words.begin());
    return words;
}

// Returns the device of this rank: each rank of a machine gets a GPU of its own.
std::string rank_device(const std::string& wanted, const Launch& launch) {
    const auto first = resolve_device(wanted);
    if (launch.alone() || first == "cpu") return first;
    if (wanted != "auto" && wanted != "cuda") {
        if (launch.local_world == 1) return first;
        throw UsageError("--device " + wanted + " is one GPU, and " + std::to_string(launch.local_world) +
                         " ranks on this machine need one each: take --device cuda");
    }
    return resolve_device(fmt::format("cuda:{}", launch.local_rank));
}

// Returns the threads of this rank. Unless --threads was given, the ranks of a machine share its cores.
int rank_threads(const CommonOptions& common, const Launch& launch) {
    if (common.threads_given || launch.alone()) return common.threads;
    const char* slurm = launch.source == "Slurm" ? std::getenv("SLURM_CPUS_PER_TASK") : nullptr;
    const int threads = slurm != nullptr ? std::atoi(slurm) : common.threads / std::max(1, launch.local_world);
    return std::clamp(threads, 1, common.threads);
}

int run_as_rank(const Launch& launch, const CommonOptions& common, double timeout,
                const std::function<int(const Ranked&)>& work) {
    rank_of_messages = launch.rank;
    // A rank that has gone must cause an error with a message, not end this process by a signal.
    if (!launch.alone()) std::signal(SIGPIPE, SIG_IGN);
    if (launch.rank != 0) log::initialize_rank(launch.rank, common.log_level);
    Ranked ranked;
    ranked.device = rank_device(common.device, launch);
    prepare_process(ranked.device);
    ranked.threads = rank_threads(common, launch);
    at::set_num_threads(ranked.threads);
    ranked.ranks = std::make_shared<Communicator>(launch, c10::Device(ranked.device), timeout);
    try {
        const int code = work(ranked);
        ranked.ranks->finish();
        return code;
    } catch (const InterruptedError&) {  // these two are decisions of all ranks
        ranked.ranks->finish();
        throw;
    } catch (const DivergedError&) {
        ranked.ranks->finish();
        throw;
    } catch (const std::exception& error) {
        ranked.ranks->fail(error.what());
        throw;
    }
}

}  // namespace

void add_rank_arguments(CLI::App* verb, RankOptions& options) {
    verb->add_option("--nproc", options.nproc,
                     "Processes on this machine that share the work: one GPU each, or a share of the CPU's cores")
        ->type_name("N")
        ->check(whole_number(1, 1024))
        ->capture_default_str();
}

void check_ranks_can_read(const RankOptions& options, const std::vector<std::string>& files) {
    const auto launch = launch_from_environment();
    // The ranks that --nproc started have another standard input than their parent, which has checked already.
    if (launch.source == "--nproc" || (options.nproc == 1 && launch.alone())) return;
    for (const auto& file : files) {
        const bool once = named_descriptor(file).has_value() || (fs::exists(file) && !can_be_read_again(file));
        if (once)
            throw UsageError(
                file + " can be read only once, but each rank must read it: write it to a file first, or omit --nproc");
    }
}

int run_ranked(const RankOptions& options, const CommonOptions& common, double timeout,
               const std::function<int(const Ranked&)>& work) {
    const auto launch = launch_from_environment();
    if (options.nproc == 1 || launch.source == "--nproc") return run_as_rank(launch, common, timeout, work);
    if (!launch.alone())
        throw UsageError("--nproc cannot be used in a process that " + launch.source + " started: omit it");
    return run_ranks(options.nproc, own_arguments());
}

int planned_rank_count(const RankOptions& options) { return std::max(options.nproc, launch_from_environment().world); }

int reporting_rank() { return rank_of_messages; }

}  // namespace longbow
