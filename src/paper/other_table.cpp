// Makes a table of another paper, with our numbers beside the published ones. Ours are means over the seeds that have
// been measured.
#include <fmt/core.h>

#include <cmath>
#include <numeric>

#include "longbow/core/interval.h"
#include "longbow/core/strings.h"
#include "longbow/paper/other_study.h"
#include "paper_grid.h"

namespace longbow {

namespace {

using Kind = PublishedCell::Kind;

// Returns the rows that the seeds of a model have at one length.
std::vector<EvalResult> measured(const OtherPlan& plan, const OtherRequest& request,
                                 const std::vector<std::size_t>& models, std::int64_t length) {
    std::vector<EvalResult> rows;
    for (const auto place : models) {
        const auto& model = plan.models[place];
        const auto run = request.run_dir / model.name;
        if (!model.trained() || !is_newer(run / "results.jsonl", run)) continue;  // rows of other weights
        const auto file = read_results((run / "results.jsonl").string());
        for (const auto& eval : model.evals) {
            if (eval.lengths.count(length) == 0) continue;
            // Of several rows the last one counts.
            const auto found = std::find_if(file.rbegin(), file.rend(), [&](const EvalResult& row) {
                return is_row_of(row, model, eval, length) && row.reached();
            });
            if (found != file.rend()) rows.push_back(*found);
        }
    }
    return rows;
}

GridCell cell_of(const OtherRow& row, std::size_t place, const std::vector<EvalResult>& rows) {
    GridCell cell;
    const auto& published = row.values[place];
    cell.paper = published.text;
    if (!row.spread.empty() && published.kind == Kind::number) cell.paper += " ± " + row.spread[place];
    if (rows.empty()) return cell;
    std::vector<double> values;
    for (const auto& one : rows) values.push_back(one.ppl);
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    cell.corpus = corpus_text(rows.front().data_name, rows.front().data);
    if (!std::isfinite(mean)) {
        cell.ours = "diverged";
        return cell;
    }
    const int decimals = published.kind == Kind::number ? published.decimals : 2;
    cell.ours = fmt::format("{:.{}f}", mean, decimals);
    const auto interval = values.size() > 1 ? interval_of_values(values) : rows.front().ppl_ci;
    if (interval && (values.size() > 1 || rows.front().blocks() >= kLeastBlocks))
        cell.interval = fmt::format("{:.{}f}–{:.{}f}", interval->low, decimals, interval->high, decimals);
    if (published.kind == Kind::number) cell.difference = fmt::format("{:+.{}f}", mean - published.value, decimals);
    return cell;
}

std::vector<std::string> notes_of(const OtherTable& table, const Grid& grid, std::size_t least, std::size_t most) {
    std::vector<std::string> notes{"Perplexity by the length of the window, in tokens. Published: " + table.source +
                                   "."};
    if (!grid.has_ours) return notes;
    if (auto corpora = corpora_note(grid.rows); !corpora.empty()) notes.push_back(std::move(corpora));
    notes.push_back(fmt::format("ours: means over {}{} of {} seeds; difference: ours minus the paper's.", least,
                                least < most ? fmt::format(" to {}", most) : "", table.seeds.size()));
    notes.emplace_back(
        "95 %: of several seeds, for other trainings (Student's t over seeds); of a single one, for other text (over blocks of 1,024 "
        "targets).");
    return notes;
}

}  // namespace

std::string render_other_table(const OtherTable& table, const OtherPlan* plan, const OtherRequest& request,
                               TextFormat format) {
    Grid grid;
    grid.title = fmt::format("{}, Table {}. {}", table.paper, table.number, table.caption);
    grid.label_headings = {"Method"};
    for (const auto length : table.lengths) grid.headings.push_back(std::to_string(length));
    std::size_t index = 0;
    while (plan != nullptr && request.tables[index] != &table) ++index;
    std::size_t least = 0, most = 0;  // seeds of a cell
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        GridRow out;
        out.labels = {table.rows[row].method};
        for (std::size_t place = 0; place < table.lengths.size(); ++place) {
            const auto rows = plan == nullptr
                                  ? std::vector<EvalResult>{}
                                  : measured(*plan, request, plan->models_of[index][row], table.lengths[place]);
            if (!rows.empty()) {
                least = least == 0 ? rows.size() : std::min(least, rows.size());
                most = std::max(most, rows.size());
            }
            out.cells.push_back(cell_of(table.rows[row], place, rows));
            grid.has_ours = grid.has_ours || !rows.empty();
            grid.has_interval = grid.has_interval || !out.cells.back().interval.empty();
        }
        grid.rows.push_back(std::move(out));
    }
    Scale scale;
    scale.changes = request.overrides;
    if (request.max_stream_tokens > 0)
        scale.changes.push_back("only the first " + with_commas(request.max_stream_tokens) + " tokens are scored");
    grid.banner = scale.banner();
    grid.notes = notes_of(table, grid, least, most);
    return render_grid(grid, table.name, scale.name, format);
}

}  // namespace longbow
