// Builds the two tables of a study, the spread over seeds and the differences to the baseline, and the notes below
// them.
#include "tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longbow/core/interval.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr double kLevel = 0.05;

using Line = TableLine;

bool same_seeds(const StudyTable& table) {
    std::set<std::int64_t> counts;
    for (const auto& of_stride : table.cells) {
        for (const auto& of_variant : of_stride) {
            for (const auto& one : of_variant) counts.insert(one.cell.seeds);
        }
    }
    counts.erase(0);
    return counts.size() <= 1;
}

bool is_significant(const StudySummary& summary) { return summary.adjusted_p && *summary.adjusted_p < kLevel; }

std::string difference_text(const StudySummary& summary) {
    const auto& difference = *summary.difference;
    if (difference.diverged_a + difference.diverged_b > 0) return "diverged";
    auto text = fmt::format("{:+.4f}", difference.difference.mean);
    if (is_significant(summary)) text += difference.difference.mean < 0 ? " better" : " worse";
    return text;
}

std::string difference_interval(const StudySummary& summary) {
    const auto& interval = summary.difference->difference.interval;
    return interval ? fmt::format("[{:+.4f}, {:+.4f}]", interval->low, interval->high) : "";
}

std::string p_text(const StudySummary& summary) {
    if (!summary.adjusted_p) return "";
    return *summary.adjusted_p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", *summary.adjusted_p);
}

class Tables {
public:
    Tables(const StudyPlan& plan, const StudySettings& study, const StudyTable& table)
        : plan_(plan), study_(study), table_(table), with_count_(!same_seeds(table)) {}

    [[nodiscard]] TextTable values(const TableStyle& style) const { return text_table(style, &Tables::value_lines); }
    [[nodiscard]] TextTable differences(const TableStyle& style) const {
        return text_table(style, &Tables::difference_lines);
    }

private:
    using Lines = std::vector<Line> (Tables::*)(std::size_t stride, std::size_t variant) const;

    [[nodiscard]] std::vector<Line> value_lines(std::size_t stride, std::size_t variant) const {
        Line values{metric_key(table_.metric), {}}, intervals{"95 %", {}};
        for (const auto& one : table_.cells[stride][variant]) {
            const bool empty = one.cell.seeds + one.cell.diverged + one.cell.valueless == 0;
            values.texts.push_back(empty ? "" : cell_text(one.cell, table_.metric, with_count_));
            intervals.texts.push_back(interval_text(one.cell, table_.metric));
        }
        return {values, intervals};
    }

    [[nodiscard]] std::vector<Line> difference_lines(std::size_t stride, std::size_t variant) const {
        if (plan_.variants[variant].baseline.empty()) return {};
        Line differences{"- " + plan_.variants[variant].baseline, {}}, intervals{"95 %", {}}, p{"p (Holm)", {}};
        for (const auto& one : table_.cells[stride][variant]) {
            differences.texts.push_back(one.difference ? difference_text(one) : "");
            intervals.texts.push_back(one.difference ? difference_interval(one) : "");
            p.texts.push_back(p_text(one));
        }
        return {differences, intervals, p};
    }

    [[nodiscard]] TextTable text_table(const TableStyle& style, Lines lines) const {
        return table_of_lines(plan_, column_headings(study_), style,
                              [&](std::size_t variant) { return (this->*lines)(style.stride, variant); });
    }

    const StudyPlan& plan_;
    const StudySettings& study_;
    const StudyTable& table_;
    bool with_count_;
};

std::set<std::string> absences(const StudyPlan& plan) {
    std::set<std::string> absent;
    for (const auto& variant : plan.variants) {
        for (const auto& cells : variant.cells) {
            for (const auto& cell : cells) {
                if (!cell.absent.empty()) absent.insert(variant.name + ": " + cell.absent);
                for (const auto& row : cell.rows) {
                    if (!row.reached())
                        absent.insert(fmt::format("length {}: the text has {} tokens only", row.length,
                                                  with_commas(row.longest_window)));
                }
            }
        }
    }
    return absent;
}

}  // namespace

TextTable table_of_lines(const StudyPlan& plan, const std::vector<std::string>& headings, const TableStyle& style,
                         const std::function<std::vector<TableLine>(std::size_t variant)>& lines_of) {
    const auto& escape = style.escape;
    TextTable text;
    text.header = {escape("Model"), ""};
    for (const auto& heading : headings) text.header.push_back(escape(heading));
    text.left = {true, true};
    text.left.resize(text.header.size(), false);
    for (std::size_t i = 0; i < plan.variants.size(); ++i) {
        auto name = plan.variants[i].name;
        for (const auto& line : lines_of(i)) {
            const bool empty =
                std::all_of(line.texts.begin(), line.texts.end(), [](const std::string& one) { return one.empty(); });
            if (empty && name.empty()) continue;
            auto& cells = text.rows.emplace_back();
            cells.push_back({escape(name)});
            cells.push_back({escape(line.what)});
            for (const auto& one : line.texts) cells.push_back({escape(one.empty() ? style.none : one)});
            name.clear();
        }
    }
    return text;
}

TextTable value_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                      const TableStyle& style) {
    return Tables(plan, study, table).values(style);
}

TextTable difference_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                           const TableStyle& style) {
    return Tables(plan, study, table).differences(style);
}

std::vector<std::string> column_headings(const StudySettings& study) {
    std::vector<std::string> headings;
    for (const auto length : study.lengths) headings.push_back(std::to_string(length));
    for (const auto multiple : study.multiples) headings.push_back(multiple_text(multiple));
    return headings;
}

std::string title_of(const StudySettings& study) { return study.title.empty() ? study.name : study.title; }

std::string stride_title(const StudySettings& study, std::size_t stride) {
    const auto value = study.strides[stride];
    return value == 0 ? "Windows without overlap" : fmt::format("Stride {}", value);
}

std::string differences_title(const StudySettings& study) { return "Differences to " + study.baseline; }

std::string what_was_measured(const StudyPlan& plan, const StudySettings& study) {
    if (study.probe.chosen()) return asked_by_probe(plan, study);
    std::set<std::string> texts;
    std::int64_t tokens = 0;
    for (const auto& variant : plan.variants) {
        for (const auto& cells : variant.cells) {
            for (const auto& cell : cells) {
                for (const auto& row : cell.rows) {
                    texts.insert(corpus_text(row.data_name, row.data));
                    tokens = std::max(tokens, row.tokens);
                }
            }
        }
    }
    if (texts.empty()) return "Nothing is measured yet.";
    return "Measured on " + join({texts.begin(), texts.end()}, ", ") + ", " + study.split + " split, up to " +
           with_commas(tokens) + " tokens.";
}

std::vector<std::string> notes_of(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::vector<std::string> notes{what_was_measured(plan, study)};
    const auto left = plan.all_models - plan.done - plan.from_rows;
    const auto unfinished = fmt::format("{} of {} models are not done yet.", left, plan.all_models);
    if (study.probe.chosen()) {
        for (auto& note : probe_notes(plan, study)) notes.push_back(std::move(note));
        if (left > 0) notes.push_back(unfinished);
        return notes;
    }
    notes.push_back(metric_title(table.metric) +
                    fmt::format(": mean ± standard deviation over {} seed{}; ", study.seeds.size(),
                                study.seeds.size() == 1 ? "" : "s") +
                    (study.seeds.size() > 1
                         ? "95 %: interval of the mean loss by Student's t, for other seeds on this text."
                         : "95 %: interval over blocks of the text, for this seed."));
    if (!study.multiples.empty()) notes.emplace_back("L is the length at which a model was trained.");
    if (!study.baseline.empty()) {
        notes.push_back(fmt::format(
            "Differences are nats a token (a byte for unlike tokenizers), paired by seed and by blocks of 1,024 targets; "
            "their 95 % intervals are each by itself (none below {} blocks). p is adjusted by Holm's method for all {} "
            "comparisons of the study; better and worse are said where it is below {}.",
            kLeastBlocks, table.comparisons, kLevel));
    }
    if (!study.baseline.empty() && study.seeds.size() == 1)
        notes.emplace_back(
            "One seed a model says nothing of other trainings: the differences are those of these models.");
    const auto absent = absences(plan);
    if (!absent.empty()) notes.push_back("A dash: " + join({absent.begin(), absent.end()}, "; ") + ".");
    if (left > 0) notes.push_back(unfinished);
    notes.insert(notes.end(), table.notes.begin(), table.notes.end());
    return notes;
}

}  // namespace longbow
