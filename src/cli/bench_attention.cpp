#include "bench_attention.h"

#include <fmt/core.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "attention_contest.h"
#include "flag_values.h"
#include "longbow/attention/fused_attention.h"
#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/model/autocast.h"
#include "longbow/telemetry/log.h"
#include "whole_number.h"

namespace longbow {

namespace {

void print_rows(const AttentionFlags& flags, const CommonOptions& common, const std::string& device,
                std::int64_t length, const std::string& dtype, const std::vector<Contestant>& contestants,
                double operations, double peak) {
    for (const auto& c : contestants) {
        const double forward = operations / c.forward;
        const double backward = 2.5 * operations / c.backward;
        if (flags.json) {
            Json row{{"benchmark", "attention"},
                     {"backend", c.backend->name()},
                     {"dtype", dtype},
                     {"bias", flags.bias},
                     {"device", device},
                     {"threads", common.threads},
                     {"instructions", fused_attention_instructions()},
                     {"batch", flags.batch},
                     {"heads", flags.heads},
                     {"head_dim", flags.head_dim},
                     {"length", length},
                     {"forward_seconds", c.forward},
                     {"backward_seconds", c.backward},
                     {"forward_flops", forward},
                     {"backward_flops", backward},
                     {"memory_mb", c.memory_mb}};
            if (peak > 0) row["peak_flops"] = peak;
            if (c.visited) row["visited_fraction"] = *c.visited;
            std::cout << row.dump() << std::endl;
            continue;
        }
        const auto share = [&](double rate) {
            return peak > 0 ? fmt::format("{:>5.1f}", 100 * rate / peak) : std::string("    -");
        };
        std::cout << fmt::format("{:7}  {:<5} {:<10} {:>10.2f} {:>9.1f} {}  {:>10.2f} {:>9.1f} {}  {:>9.1f}  {}",
                                 length, dtype, c.backend->name(), c.forward * 1e3, forward / 1e9, share(forward),
                                 c.backward * 1e3, backward / 1e9, share(backward), c.memory_mb,
                                 c.visited ? fmt::format("{:.3f}", *c.visited) : "-")
                  << std::endl;
    }
}

// Keeps the first appearance of each name.
void remove_duplicates(std::vector<std::string>& names) {
    std::vector<std::string> once;
    for (auto& name : names) {
        if (std::find(once.begin(), once.end(), name) == once.end())
            once.push_back(std::move(name));
        else
            log::info(name + " is named twice and used once");
    }
    names = std::move(once);
}

AttentionRequest request_of(const AttentionFlags& flags, const std::string& device, DType dtype, const Work& work) {
    AttentionRequest request;
    request.dtype = dtype;
    request.device = device;
    request.head_dim = flags.head_dim;
    request.bias = work.input.bias.parts();
    request.bias_needs_grad = work.input.bias.table.defined();
    request.table_fades = work.input.bias.table_fades;
    request.windowed = flags.window > 0;
    request.skip_threshold = flags.skip_threshold;
    return request;
}

int bench_attention(AttentionFlags& flags, const CommonOptions& common) {
    if (flags.skip_threshold == 0.0)
        throw UsageError("--skip-threshold 0 skips everything; inf is off, -1 the exact default");
    if (flags.sinks > 0 && flags.window == 0) throw UsageError("--sinks has no effect without --window");
    const auto device = resolve_device(common.device);
    prepare_process(device);
    flags.lengths = distinct_lengths(flags.lengths);
    remove_duplicates(flags.backends);
    remove_duplicates(flags.dtypes);
    // What a back-end cannot do must be refused before the first line of the table.
    for (const auto& name_of_type : flags.dtypes) {
        const auto dtype = choice_named<DType>(name_of_type).value();
        const auto least = make_work(flags, device, scalar_type(dtype), 1);
        for (const auto& name : flags.backends) make_attention_backend(name, request_of(flags, device, dtype, least));
    }
    if (!flags.json) {
        std::cout << fmt::format(
            "attention, bias {}, batch {}, {} heads of {}, {}, {} threads, minima of {}; GFLOP/s of the causal half (skipped blocks count as done)\n",
            flags.bias, flags.batch, flags.heads, flags.head_dim,
            device == "cpu" ? fused_attention_instructions() : device, common.threads, flags.rounds);
        std::cout
            << " length  dtype back-end    forward ms   GFLOP/s  peak%  backward ms  GFLOP/s  peak% tensors MB  visited\n";
    }
    for (const auto& name_of_type : flags.dtypes) {
        const auto dtype = choice_named<DType>(name_of_type).value();
        const auto type = scalar_type(dtype);
        for (const auto length : flags.lengths) {
            const auto work = make_work(flags, device, type, length);
            const auto request = request_of(flags, device, dtype, work);
            std::vector<Contestant> contestants;
            for (const auto& name : flags.backends) {
                contestants.emplace_back();
                contestants.back().backend = make_attention_backend(name, request);
            }
            for (auto& contestant : contestants) run_untimed(contestant, work, device);
            double peak = 0;
            for (int round = 0; round < flags.rounds; ++round) {
                for (auto& contestant : contestants) run_once(contestant, work, device);
                if (device == "cpu") peak = std::max(peak, fused_attention_peak(type, common.threads));
            }
            print_rows(flags, common, device, length, name_of_type, contestants, work.operations, peak);
        }
    }
    return 0;
}

}  // namespace

void add_bench_attention(CLI::App& group, VerbContext& context) {
    auto flags = std::make_shared<AttentionFlags>();
    auto* verb =
        add_verb(group, context, "attention", "Time the attention back-ends side by side, forward and backward",
                 "longbow bench attention --lengths 1024,4096 --backends fused,sdpa --dtypes fp32 --threads 1");
    std::vector<std::string> lengths;
    for (const auto length : flags->lengths) lengths.push_back(std::to_string(length));
    add_list(verb, "--lengths", flags->lengths, "Tokens a sequence", whole_number(1, 1 << 24))
        ->type_name("L,..")
        ->default_str(join(lengths, ","));
    add_list(verb, "--backends", flags->backends, "Back-ends, in turn within each round",
             CLI::IsMember(attention_backend_names()))
        ->type_name("NAME,..")
        ->default_str(join(flags->backends, ","));
    add_list(verb, "--dtypes", flags->dtypes, "Of q, k and v: fp32, bf16, fp16",
             CLI::IsMember({"fp32", "bf16", "fp16"}))
        ->type_name("DTYPE,..")
        ->default_str(join(flags->dtypes, ","));
    verb->add_option(
            "--bias", flags->bias,
            "slopes (ALiBi), table (129 distances, learned), gates (FoX, that fall as ALiBi's slopes), power or "
            "log (KERPLE), or none")
        ->check(CLI::IsMember({"slopes", "table", "gates", "power", "log", "none"}))
        ->capture_default_str();
    verb->add_option("--batch", flags->batch, "Sequences")->check(whole_number(1, 1 << 20))->capture_default_str();
    verb->add_option("--heads", flags->heads, "Heads")->check(whole_number(1, 4096))->capture_default_str();
    verb->add_option("--head-dim", flags->head_dim, "Numbers a head")
        ->check(whole_number(1, 1024))
        ->capture_default_str();
    verb->add_option("--window", flags->window, "Keys that a query sees, its own included; 0: all before it")
        ->check(whole_number(0, 1 << 24))
        ->capture_default_str();
    verb->add_option("--sinks", flags->sinks, "First keys that the window does not hide")
        ->check(whole_number(0, 1 << 24))
        ->capture_default_str();
    verb->add_option("--skip-threshold", flags->skip_threshold,
                     "fused skips blocks below exp(-T) of a row's sum; -1: exact in fp32, inf: off")
        ->capture_default_str();
    verb->add_option("--rounds", flags->rounds, "Rounds; the least time counts")
        ->check(whole_number(1, 1000000))
        ->capture_default_str();
    verb->add_flag("--json", flags->json, "A line of JSON a row");
    run_with(verb, context, [flags](const CommonOptions& common) { return bench_attention(*flags, common); });
}

}  // namespace longbow
