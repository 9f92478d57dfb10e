// longbow report: tables and pages from results.jsonl.
#include <iostream>
#include <memory>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/experiments/paper.h"
#include "longbow/experiments/report.h"
#include "longbow/telemetry/log.h"
#include "verbs.h"

namespace longbow {

namespace {

struct ReportFlags {
    std::vector<std::string> results;
    std::string format = "markdown", metric = "ppl", out, paper;
};

// Throws where the report could not be written, or would take the place of what it is about.
void check_out(const std::string& out, const std::vector<ReportRun>& runs) {
    if (out.empty()) return;
    check_output(out);
    for (const auto& run : runs) {
        if (same_output(out, run.results)) throw UsageError("--out " + out + " holds results of this report: name another file");
    }
}

// A published table, with what the results have of it beside it.
std::string paper_table(const ReportFlags& flags, const std::vector<ReportRun>& runs) {
    const Scale scale;
    return render_paper_table(published_table(flags.paper), scale, lookup_in(runs, scale), flags.format);
}

int report(const ReportFlags& flags) {
    const auto metric = metric_from(flags.metric);
    if (flags.results.empty() && flags.paper.empty())
        throw UsageError("longbow report needs RESULTS (results.jsonl, a run, or a folder of runs), or --paper TABLE");
    const auto runs = flags.results.empty() ? std::vector<ReportRun>{} : read_runs(flags.results);
    check_out(flags.out, runs);
    const auto text = flags.paper.empty() ? render_report(runs, metric, flags.format) : paper_table(flags, runs);
    if (flags.out.empty()) {
        std::cout << text;
    } else {
        write_file_atomic(flags.out, text);
        log::info("wrote " + flags.out);
    }
    return 0;
}

void add_report(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<ReportFlags>();
    auto* verb =
        add_verb(app, context, "report", "Tables and pages of measured results",
                 "longbow report runs/demo --format markdown\n  longbow report runs/demo/*/results.jsonl --format html --out report.html\n"
                 "  longbow report runs/alibi-512 --paper table5");
    verb->add_option("RESULTS", flags->results, "results.jsonl files, run directories, or folders of runs");
    verb->add_option("--paper", flags->paper,
                     "table1 .. table15: that table of \"Train Short, Test Long\", with our numbers where RESULTS have them "
                     "(longbow reproduce makes them)")
        ->type_name("TABLE");
    verb->add_option("--format", flags->format, "markdown | csv | latex | json | html")
        ->check(CLI::IsMember({"markdown", "csv", "latex", "json", "html"}))
        ->type_name("FORMAT")
        ->capture_default_str();
    verb->add_option("--metric", flags->metric, "ppl | nll | bpb (bits per byte)")
        ->check(CLI::IsMember({"ppl", "nll", "bpb"}))
        ->type_name("METRIC")
        ->capture_default_str();
    verb->add_option("--out", flags->out, "File to write; default: standard output")->type_name("PATH");
    run_with(verb, context, [flags](const CommonOptions&) { return report(*flags); });
}
LONGBOW_REGISTER_VERB(50, add_report);

}  // namespace

}  // namespace longbow
