// longbow report: tables and pages from results.jsonl.
#include <iostream>

#include "longbow/core/files.h"
#include "longbow/experiments/report.h"
#include "longbow/telemetry/log.h"
#include "verbs.h"

namespace longbow {

namespace {

struct ReportFlags {
    std::vector<std::string> results;
    std::string format = "markdown", metric = "ppl", out;
};

int report(const ReportFlags& flags) {
    const auto metric = metric_from(flags.metric);
    const auto text = render_report(read_runs(flags.results), metric, flags.format);
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
    auto* verb = add_verb(app, context, "report", "Tables and pages of measured results",
                          "longbow report runs/demo --format markdown\n  longbow report runs/demo/*/results.jsonl --format html --out report.html");
    verb->add_option("RESULTS", flags->results, "results.jsonl files, run directories, or folders of runs")->required();
    verb->add_option("--format", flags->format, "markdown | csv | latex | json | html")
        ->check(CLI::IsMember({"markdown", "csv", "latex", "json", "html"}))->type_name("FORMAT")->capture_default_str();
    verb->add_option("--metric", flags->metric, "ppl | nll | bpb (bits per byte)")
        ->check(CLI::IsMember({"ppl", "nll", "bpb"}))->type_name("METRIC")->capture_default_str();
    verb->add_option("--out", flags->out, "File to write; default: standard output")->type_name("PATH");
    run_with(verb, context, [flags](const CommonOptions&) { return report(*flags); });
}
LONGBOW_REGISTER_VERB(50, add_report);

}  // namespace

}  // namespace longbow
