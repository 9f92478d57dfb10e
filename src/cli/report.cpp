// longbow report: makes tables, pages and figures from results.jsonl.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <set>

#include "flag_values.h"
#include "longbow/core/chosen.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/paper/formats.h"
#include "longbow/paper/other_study.h"
#include "longbow/paper/published.h"
#include "longbow/report/figure.h"
#include "longbow/report/format.h"
#include "longbow/report/rsvg.h"
#include "longbow/report/task_report.h"
#include "longbow/telemetry/log.h"
#include "verbs.h"

namespace longbow {

namespace {

struct ReportFlags {
    std::vector<std::string> results;
    std::string format, metric, figure, split, protocol, out, paper;
};

bool is_picture(const std::string& format) { return choice_named<PictureFormat>(format).has_value(); }
// Returns whether rsvg-convert has to make this format from the drawing.
bool is_converted(const std::string& format) {
    const auto picture = choice_named<PictureFormat>(format);
    return picture && *picture != PictureFormat::svg;
}

// Returns the format that a file's ending stands for; empty if it stands for none.
std::string format_of_ending(const std::string& path) {
    static const std::map<std::string, std::string> known{
        {".md", "markdown"}, {".markdown", "markdown"}, {".csv", "csv"}, {".tex", "latex"}, {".json", "json"},
        {".html", "html"},   {".htm", "html"},          {".svg", "svg"}, {".pdf", "pdf"},   {".png", "png"}};
    const auto found = known.find(fs::path(path).extension().string());
    return found == known.end() ? "" : found->second;
}

std::string format_of(const ReportFlags& flags) {
    const auto ending = format_of_ending(flags.out);
    if (flags.format.empty()) return ending.empty() ? std::string(name_of(TextFormat::markdown)) : ending;
    if (!ending.empty() && ending != flags.format && (is_picture(ending) || is_picture(flags.format)))
        throw UsageError("--format " + flags.format + " contradicts the ending of --out " + flags.out +
                         ": give one of them");
    return flags.format;
}

Figure figure_of(const ReportFlags& flags) {
    return flags.figure.empty() ? Figure::lengths : chosen<Figure>("figure", flags.figure);
}

bool goes_to_terminal(const std::string& out) {
    if (out.empty()) return ::isatty(STDOUT_FILENO) != 0;
    const auto place = find_output(out);
    const auto path = place.path.string();
    const bool device = place.stream && (starts_with(path, "/dev/tty") || starts_with(path, "/dev/pts/"));
    return device || (place.descriptor >= 0 && ::isatty(place.descriptor) != 0);
}

// Checks everything that does not depend on the results.
void check_flags(const ReportFlags& flags, const std::string& format) {
    if (flags.results.empty() && flags.paper.empty())
        throw UsageError("longbow report needs RESULTS (results.jsonl, a run, or a folder of runs), or --paper TABLE");
    if (is_picture(format) && !flags.paper.empty())
        throw UsageError(
            "--paper makes tables; `longbow reproduce` draws the paper's figures together with our numbers");
    if (!flags.figure.empty() && !is_picture(format))
        throw UsageError("--figure chooses what --format svg, pdf or png draws; " + format + " has no figure");
    if (!flags.metric.empty() && !flags.figure.empty() && figure_of(flags) != Figure::lengths)
        throw UsageError("--figure " + flags.figure + " draws losses: --metric would have no effect");
    if (!flags.out.empty()) check_output(flags.out);
    if (!is_converted(format)) return;
    if (goes_to_terminal(flags.out))
        throw UsageError("a " + format + " file would garble the terminal: give --out FILE." + format);
    require_rsvg_convert();
}

// Throws UsageError if the report would overwrite its own input.
void check_kept(const std::string& out, const std::vector<ReportRun>& runs) {
    if (out.empty()) return;
    for (const auto& run : runs) {
        if (same_output(out, run.results))
            throw UsageError("--out " + out + " holds results of this report: name another file");
        for (const char* name : {"config.yaml", "metrics.jsonl"}) {
            if (same_output(out, fs::path(run.results).parent_path() / name))
                throw UsageError("--out " + out + " is the " + name + " of a run of this report: name another file");
        }
    }
}

// Keeps only rows of the chosen split and protocol.
void choose_rows(std::vector<ReportRun>& runs, const ReportFlags& flags) {
    if (flags.split.empty() && flags.protocol.empty()) return;
    std::set<std::string> kinds;
    std::size_t left = 0;
    for (auto& run : runs) {
        std::erase_if(run.rows, [&](const EvalResult& row) {
            kinds.insert(row.split + " split by protocol " + row.protocol);
            return (!flags.split.empty() && row.split != flags.split) ||
                   (!flags.protocol.empty() && row.protocol != flags.protocol);
        });
        left += run.rows.size();
    }
    if (left == 0)
        throw DataError("no row is of that split and protocol; the results have " +
                        join({kinds.begin(), kinds.end()}, ", "));
}

// Throws UsageError unless one of the papers has a table of this name.
void check_paper_table(const std::string& name) {
    std::vector<std::string> known;
    for (const auto& table : published_tables()) known.push_back(table.name);
    const auto others = other_table_names();
    known.insert(known.end(), others.begin(), others.end());
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const auto near = nearest(name, known);
    throw UsageError("--paper: no paper here has a table '" + name + "'" +
                     (near ? ", did you mean '" + *near + "'?" : ".") + " There are: " + join(known, ", "));
}

// Returns a published table, with our numbers beside it as far as the results have them.
std::string paper_table(const ReportFlags& flags, const std::string& format) {
    check_paper_table(flags.paper);
    if (const auto* other = find_other_table(flags.paper)) {
        if (!flags.results.empty())
            throw UsageError("--paper " + flags.paper + " is of another paper: `longbow reproduce " + flags.paper +
                             "` writes our numbers beside it");
        return render_other_table(*other, nullptr, {}, chosen<TextFormat>("format", format));
    }
    const auto runs = flags.results.empty() ? std::vector<ReportRun>{} : read_runs(flags.results);
    check_kept(flags.out, runs);
    const Scale scale;
    return render_paper_table(published_table(flags.paper), scale, lookup_in(runs, scale),
                              chosen<TextFormat>("format", format));
}

// Returns tables of rows of `longbow probe tasks`.
std::string task_report(const ReportFlags& flags, const std::vector<std::string>& files, const std::string& format) {
    if (is_picture(format)) {
        throw UsageError(files.front() +
                         ": rows of tasks make tables; the figure of a task is drawn by a study (docs/study.md)");
    }
    for (const auto& [given, flag] : {std::pair{!flags.metric.empty(), "--metric"},
                                      {!flags.split.empty(), "--split"},
                                      {!flags.protocol.empty(), "--protocol"}}) {
        if (given) throw UsageError(std::string(flag) + " is for rows of perplexity; those of tasks have none");
    }
    for (const auto& file : files) {
        if (!flags.out.empty() && same_output(flags.out, file))
            throw UsageError("--out " + flags.out + " holds rows of this report: name another file");
    }
    return render_task_reports(make_task_reports(files), chosen<TextFormat>("format", format));
}

std::string results_report(const ReportFlags& flags, const std::string& format) {
    if (const auto files = task_files(flags.results); !files.empty()) return task_report(flags, files, format);
    const auto metric = flags.metric.empty() ? Metric::ppl : chosen<Metric>("metric", flags.metric);
    const auto figure = figure_of(flags);
    auto runs = read_runs(flags.results);
    check_kept(flags.out, runs);
    choose_rows(runs, flags);
    if (!is_picture(format)) return render_report(runs, metric, chosen<TextFormat>("format", format));
    const auto svg = report_svg(runs, metric, figure);
    return is_converted(format) ? convert_svg(svg, chosen<PictureFormat>("format", format)) : svg;
}

int report(const ReportFlags& flags) {
    const auto format = format_of(flags);
    check_flags(flags, format);
    const auto text = flags.paper.empty() ? results_report(flags, format) : paper_table(flags, format);
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
    auto* verb = add_verb(
        app, context, "report", "Tables, pages and figures of measured results",
        "longbow report runs/demo --format markdown\n  longbow report runs/demo/*/results.jsonl --out report.html\n"
        "  longbow report runs/demo --out figure.pdf\n  longbow report runs/alibi-512 --paper table5");
    verb->add_option(
        "RESULTS", flags->results,
        "results.jsonl files, run directories, or folders of runs; or the probes.jsonl of `longbow probe tasks`");
    auto* paper =
        verb->add_option(
                "--paper", flags->paper,
                "table1 .. table15: that table of \"Train Short, Test Long\", with our numbers where RESULTS have them "
                "(longbow reproduce makes them); or a table of another paper, such as kerple-owt2 (longbow reproduce --help)")
            ->type_name("TABLE");
    auto formats = choice_names<TextFormat>();
    for (const auto& picture : choice_names<PictureFormat>()) formats.push_back(picture);
    verb->add_option("--format", flags->format, join(formats, " | ") + "; default: what --out ends in, else markdown")
        ->check(CLI::IsMember(formats))
        ->type_name("FORMAT");
    verb->add_option(
            "--figure", flags->figure,
            "What svg, pdf and png draw: lengths (the metric against evaluation length; the default) | positions (loss by place in "
            "the window) | training (loss while training)")
        ->check(CLI::IsMember(choice_names<Figure>()))
        ->type_name("FIGURE");
    verb->add_option("--metric", flags->metric, "ppl (the default) | nll | bpb (bits per byte) | ppl_per_word")
        ->check(CLI::IsMember(choice_names<Metric>()))
        ->type_name("METRIC")
        ->excludes(paper);
    verb->add_option("--split", flags->split, "Only rows of this split")->type_name("NAME")->excludes(paper);
    verb->add_option("--protocol", flags->protocol, "Only rows of this protocol")->type_name("NAME")->excludes(paper);
    verb->add_option("--out", flags->out, "File to write; default: standard output")
        ->transform(output_file())
        ->type_name("PATH");
    run_with(verb, context, [flags](const CommonOptions&) { return report(*flags); });
}
LONGBOW_REGISTER_VERB(50, add_report);

}  // namespace

}  // namespace longbow
