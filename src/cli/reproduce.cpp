// longbow reproduce: reproduces the papers' tables and figures.
#include <fmt/core.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "config_file.h"
#include "grid_flags.h"
#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/paper/other_study.h"
#include "longbow/paper/public_study.h"
#include "longbow/paper/reproduce.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct ReproduceFlags : GridFlags {
    std::vector<std::string> words;  // names, and key.sub=value
    std::string scale = "paper", configs = "configs";
    std::vector<std::string> models, text;  // of public models
    std::int64_t max_stream_tokens = 0;
    bool scale_given = false;
};

constexpr const char* kPublic = "public";

bool is_public(const ReproduceFlags& flags) {
    return std::find(flags.words.begin(), flags.words.end(), kPublic) != flags.words.end();
}

// Refuses flags that have no effect.
void check_public_flags(const ReproduceFlags& flags) {
    const auto refuse = [](bool given, const char* flag) {
        if (given) throw UsageError(std::string(flag) + " is for the paper's tables and has no effect with public");
    };
    if (flags.words.size() > 1)
        throw UsageError(
            "longbow reproduce public takes no other name and no settings; its settings are in "
            "configs/public/public.yaml (--configs)");
    if (flags.models.empty())
        throw UsageError(
            "longbow reproduce public needs --models: folders as on the Hugging Face hub, GGUF files or runs");
    refuse(flags.scale_given, "--scale");
    refuse(!flags.slurm.empty(), "--slurm");
    refuse(flags.print_commands, "--print-commands");
}

PublicRequest public_request(const ReproduceFlags& flags, const CommonOptions& common) {
    check_public_flags(flags);
    PublicRequest request;
    request.models = flags.models;
    request.settings = read_public_settings(fs::path(chosen_config(flags.configs)) / kPublic / "public.yaml");
    if (!flags.text.empty()) request.settings.text = flags.text;
    request.max_stream_tokens = flags.max_stream_tokens;
    request.run_dir = flags.run_dir.empty() ? "runs/public" : flags.run_dir;
    request.context = registered_config_context();
    request.device = common.device;
    request.jobs = std::max(1, flags.jobs);
    request.nproc = flags.nproc;
    request.threads = std::max(1, common.threads / (request.jobs * request.nproc));
    if (flags.dry_run) request.meter = speed_meter(request, 1, common);
    return request;
}

int run_public(const PublicRequest& request, bool dry_run) {
    if (dry_run) {
        std::cout << public_plan_text(plan_public(request), request);
        return 0;
    }
    const auto output = reproduce_public(request);
    std::cout << output.markdown << "\n";
    print_pictures(output.files.written());
    return 0;
}

// Returns the tables of other papers that the words name; empty if they name something of the ALiBi paper.
std::vector<const OtherTable*> other_tables_of(const ReproduceFlags& flags) {
    std::vector<const OtherTable*> tables;
    std::vector<std::string> alibi;
    for (const auto& word : flags.words) {
        if (word.find('=') != std::string::npos) continue;
        const auto* table = find_other_table(word);
        if (table == nullptr) alibi.push_back(word);
        if (table != nullptr && std::find(tables.begin(), tables.end(), table) == tables.end()) tables.push_back(table);
    }
    if (!tables.empty() && !alibi.empty())
        throw UsageError(tables.front()->name + " is a table of another paper than " + alibi.front() +
                         ": reproduce them apart");
    return tables;
}

OtherRequest other_request(const ReproduceFlags& flags, const CommonOptions& common) {
    if (flags.scale == demo_scale().name) {
        throw UsageError(
            "the tables of other papers have no demo scale: `longbow study configs/studies/austen.yaml` compares the methods on a "
            "small corpus");
    }
    OtherRequest request;
    request.tables = other_tables_of(flags);
    for (const auto& word : flags.words) {
        if (word.find('=') != std::string::npos) request.overrides.push_back(word);
    }
    request.max_stream_tokens = flags.max_stream_tokens;
    request.run_dir = flags.run_dir.empty() ? "runs/papers" : flags.run_dir;
    request.configs = flags.configs;
    request.context = registered_config_context();
    request.device = common.device;
    request.jobs = std::max(1, flags.jobs);
    request.nproc = flags.nproc;
    request.threads = std::max(1, common.threads / (request.jobs * request.nproc));
    if (flags.print_commands || !flags.slurm.empty()) request.threads = 0;
    if (flags.dry_run) request.meter = speed_meter(request, 1, common);
    return request;
}

int run_other(const ReproduceFlags& flags, const CommonOptions& common) {
    const auto request = other_request(flags, common);
    if (print_instead(flags, {[&] { return plan_text(plan_other(request), request); },
                              [&] { return shell_script(plan_other(request), request); },
                              [&] { return slurm_script(plan_other(request), request); }}))
        return 0;
    const auto output = reproduce_other(request);
    std::cout << output.markdown << "\n";
    print_pictures(output.files.written());
    return 0;
}

ReproduceRequest request_of(const ReproduceFlags& flags, const CommonOptions& common) {
    ReproduceRequest request;
    for (const auto& word : flags.words)
        (word.find('=') == std::string::npos ? request.names : request.overrides).push_back(word);
    if (request.names.empty()) throw UsageError("longbow reproduce: name a table or figure, e.g. table5, or all");
    request.scale = scale_named(flags.scale);
    const bool small = request.scale.reduced();
    request.scale.changes = request.overrides;
    request.scale.max_stream_tokens = flags.max_stream_tokens;
    if (flags.max_stream_tokens > 0) {
        request.scale.stride_1_tokens =
            request.scale.stride_1_tokens > 0 ? std::min(request.scale.stride_1_tokens, flags.max_stream_tokens) : 0;
        request.scale.changes.push_back("only the first " + with_commas(flags.max_stream_tokens) +
                                        " tokens of each split are scored");
    }
    request.run_dir = !flags.run_dir.empty() ? flags.run_dir : "runs/" + flags.scale + "-scale";
    request.configs = chosen_config(flags.configs);
    request.context = registered_config_context();
    request.device = common.device;
    // The demo's tensors are too small to occupy two threads, so each child gets one core and there are as many
    // children as cores.
    request.jobs = flags.jobs > 0 ? flags.jobs : small ? common.threads : 1;
    request.nproc = flags.nproc;
    request.threads = small ? 1 : std::max(1, common.threads / (request.jobs * request.nproc));
    // The commands run on another machine, which chooses.
    if (flags.print_commands || !flags.slurm.empty()) request.threads = 0;
    return request;
}

int print_claims(const ReproductionOutput& output, bool decides) {
    bool all = true;
    for (const auto& claim : output.claims) {
        std::cout << fmt::format("claim {}: {}: ratio {:.3f}, bound {:.2f}\n", claim.holds ? "holds" : "FAILS",
                                 claim.text, claim.ratio, claim.bound);
        all = all && claim.holds;
    }
    if (!all && decides) throw Error("a claim of the paper does not hold in these results");
    return 0;
}

int run_verb(const ReproduceFlags& flags, const CommonOptions& common) {
    if (is_public(flags)) return run_public(public_request(flags, common), flags.dry_run);
    if (!flags.models.empty() || !flags.text.empty())
        throw UsageError("--models and --text are for `longbow reproduce public`");
    if (!other_tables_of(flags).empty()) return run_other(flags, common);
    auto request = request_of(flags, common);
    // 0.6 s for each of the demo's methods, 1 s for each of the paper's data sets.
    if (flags.dry_run) request.meter = speed_meter(request, request.scale.reduced() ? 0.6 : 1, common);
    if (print_instead(flags, {[&] { return plan_text(plan_reproduction(request), request); },
                              [&] { return shell_script(plan_reproduction(request), request); },
                              [&] { return slurm_script(plan_reproduction(request), request); }}))
        return 0;
    const auto output = reproduce(request);
    std::cout << output.markdown << "\n";
    print_pictures(output.files.written());
    return print_claims(output, request.scale.changes.empty());
}

void add_reproduce(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<ReproduceFlags>();
    auto* verb = add_verb(
        app, context, "reproduce",
        "Tables and figures of \"Train Short, Test Long\" and of other papers, measured and compared with the published ones",
        "longbow reproduce table2 table5 figure1 --scale demo\n  longbow reproduce all --dry-run --scale paper\n"
        "  longbow reproduce table5 --scale paper --slurm table5.sbatch\n"
        "  longbow reproduce kerple-owt2 --dry-run\n"
        "  longbow reproduce public --models models/bloom-560m models/pythia-410m SmolLM2-135M.Q8_0.gguf");
    verb->add_option(
            "NAME", flags->words,
            "table1 .. table15, figure1, 2, 4 to 9, 11, wikitext103, bookcorpus, cc100, all; or tables of other papers: " +
                join(other_table_names(), ", ") +
                "; also key.sub=value, a change of every model's settings (the output says so); or public: public models beyond "
                "their trained length")
        ->required();
    verb->add_option("--models", flags->models,
                     "public: the models, folders as on the Hugging Face hub, GGUF files or runs (docs/reproduce.md)")
        ->type_name("MODEL..");
    verb->add_option("--text", flags->text,
                     "public: the text, in place of the one that configs/public/public.yaml names")
        ->type_name("FILE..");
    auto* scale =
        verb->add_option("--scale", flags->scale,
                         "paper: the paper's models and lengths; demo: its grid on a small model and the Austen corpus")
            ->check(CLI::IsMember(scale_names()))
            ->type_name("SCALE")
            ->capture_default_str();
    verb->add_option("--configs", flags->configs, "Folder of the models' config files")
        ->type_name("DIR")
        ->capture_default_str();
    verb->add_option("--max-stream-tokens", flags->max_stream_tokens,
                     "Score only the first N tokens of each split (the output says so)")
        ->check(whole_number())
        ->type_name("N");
    add_grid_flags(verb, *flags, "runs/SCALE-scale, runs/papers for other papers, runs/public",
                   "1, demo as many as there are threads");
    run_with(verb, context, [flags, scale](const CommonOptions& common) {
        flags->scale_given = scale->count() > 0;
        return run_verb(*flags, common);
    });
}
LONGBOW_REGISTER_VERB(55, add_reproduce);

}  // namespace

}  // namespace longbow
