// Computes a study's numbers: the spread over seeds, and paired differences with a correction for their number.
#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/interval.h"
#include "longbow/study/study.h"
#include "probe_cells.h"

namespace longbow {

namespace {

std::vector<const EvalResult*> rows_of(const StudyCell& cell) {
    std::vector<const EvalResult*> rows;
    for (const auto& row : cell.rows) rows.push_back(&row);
    return rows;
}

// Pairs the rows of the seeds that both cells have. Rows whose windows are shorter than the length are none of it.
std::vector<RowPair> pairs_of(const StudyCell& baseline, const StudyCell& cell) {
    std::vector<RowPair> pairs;
    for (const auto& a : baseline.rows) {
        for (const auto& b : cell.rows) {
            if (a.seed == b.seed && a.reached() && b.reached()) pairs.push_back({&a, &b});
        }
    }
    return pairs;
}

const StudyVariant* variant_named(const StudyPlan& plan, const std::string& name) {
    const auto found = std::find_if(plan.variants.begin(), plan.variants.end(),
                                    [&](const StudyVariant& variant) { return variant.name == name; });
    return found == plan.variants.end() ? nullptr : &*found;
}

// Models of different tokenizers compare by the bits of a byte only.
Metric metric_of(const StudyPlan& plan) {
    std::set<std::string> tokenizers;
    for (const auto& variant : plan.variants) {
        for (const auto& cells : variant.cells) {
            for (const auto& cell : cells) {
                for (const auto& row : cell.rows) tokenizers.insert(row.tokenizer);
            }
        }
    }
    return tokenizers.size() > 1 ? Metric::bpb : Metric::ppl;
}

// Fills in the p-values that hold for all comparisons of the study together.
void adjust(StudyTable& table) {
    std::vector<StudySummary*> tested;
    std::vector<double> p_values;
    for (auto& of_stride : table.cells) {
        for (auto& of_variant : of_stride) {
            for (auto& one : of_variant) {
                if (!one.difference || !one.difference->p_value) continue;
                tested.push_back(&one);
                p_values.push_back(*one.difference->p_value);
            }
        }
    }
    const auto adjusted = holm_adjusted(p_values);
    for (std::size_t i = 0; i < tested.size(); ++i) tested[i]->adjusted_p = adjusted[i];
    table.comparisons = tested.size();
}

}  // namespace

StudyTable summarize(const StudyPlan& plan) {
    StudyTable table;
    table.metric = metric_of(plan);
    const auto strides = plan.variants.front().cells.size();
    for (std::size_t stride = 0; stride < strides; ++stride) {
        auto& of_stride = table.cells.emplace_back();
        for (const auto& variant : plan.variants) {
            auto& summaries = of_stride.emplace_back();
            const auto* baseline = variant_named(plan, variant.baseline);
            for (std::size_t i = 0; i < variant.cells[stride].size(); ++i) {
                const auto& cell = variant.cells[stride][i];
                auto& summary = summaries.emplace_back();
                summary.cell = cell_of(rows_of(cell), table.metric);
                if (baseline == nullptr) continue;
                const auto pairs = pairs_of(baseline->cells[stride][i], cell);
                if (pairs.empty()) continue;
                try {
                    summary.difference = compare_rows(pairs);
                } catch (const DataError& error) {  // of unlike texts: each number alone still has a meaning
                    table.notes.push_back(variant.name + " and " + baseline->name + ": no difference: " + error.what());
                }
            }
        }
    }
    adjust(table);
    table.probes = summarize_probes(plan);
    return table;
}

}  // namespace longbow
