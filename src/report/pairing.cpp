// Decides which rows of two sides belong together: one method a side, paired by seed, measured alike. Ambiguous input
// is refused with a message that names the remedy.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/report/comparison.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

// Identifies the method of a row. Rows of one run are one model even if its settings changed between two measurements
// (train.stop, eval --attention), so the run's last row decides.
class MethodKeys {
public:
    explicit MethodKeys(const std::vector<const EvalResult*>& rows) {
        for (const auto* row : rows) last_[run_of(*row)] = row->config_group;  // rows of earlier versions have no group
    }
    [[nodiscard]] std::string of(const EvalResult& row) const {
        return row.position + "|" + std::to_string(row.train_length) + "|" + last_.at(run_of(row));
    }

private:
    using Run = std::tuple<std::string, std::string, std::int64_t, std::uint64_t>;
    static Run run_of(const EvalResult& row) { return {row.name, row.position, row.train_length, row.seed}; }
    std::map<Run, std::string> last_;
};

// A row that was measured with other settings than its run's is selected by its whole name only.
bool selected(const EvalResult& row, const std::string& select) {
    if (!select.empty() && !row.overrides.empty()) return row.name == select;
    return select.empty() || row.position == select || row.name == select || starts_with(row.name, select + "/");
}

// Returns "alibi" for alibi/seed-1 and alibi/seed-2; the name of a single run; else the position method.
std::string side_name(const std::vector<const EvalResult*>& rows) {
    std::set<std::string> names, folders;
    for (const auto* row : rows) {
        names.insert(row->name);
        const auto slash = row->name.rfind("/seed-");
        folders.insert(slash == std::string::npos ? "" : row->name.substr(0, slash));
    }
    if (names.size() == 1) return *names.begin();
    return folders.size() == 1 && !folders.begin()->empty() ? *folders.begin() : rows.front()->position;
}

std::string quoted_list(const std::set<std::string>& items) { return join({items.begin(), items.end()}, ", "); }

void refuse_several_methods(const std::vector<const EvalResult*>& rows, const std::string& input) {
    std::map<std::string, std::vector<const EvalResult*>> methods;
    const MethodKeys keys(rows);
    for (const auto* row : rows) methods[keys.of(*row)].push_back(row);
    if (methods.size() < 2) return;
    std::set<std::string> names, positions;
    for (const auto& [key, own] : methods) {
        names.insert(side_name(own));
        positions.insert(own.front()->position);
    }
    const bool by_position = names.size() < methods.size() && positions.size() == methods.size();
    const auto& shown = by_position ? positions : names;
    throw DataError(input + " holds " + std::to_string(methods.size()) + " models that differ in more than the seed (" +
                    quoted_list(shown) + "): name one of them, " +
                    (shown.size() == methods.size() ? "as a folder or as " + input + "@" + *shown.begin()
                                                    : "as a folder or file of its own"));
}

// Returns which rows of a seed count: for one run, the last row of each measurement. Two runs of one seed are ambiguous
// and refused, unless they have the same checkpoint.
std::vector<const EvalResult*> last_rows(const std::vector<const EvalResult*>& rows, const std::string& input) {
    std::map<std::uint64_t, std::set<std::string>> runs, updates;
    std::map<std::uint64_t, std::string> checkpoint;
    for (const auto* row : rows) {
        runs[row->seed].insert(row->name);
        updates[row->seed].insert(with_commas(row->updates));
        checkpoint[row->seed] = row->checkpoint;
    }
    for (const auto& [seed, names] : runs) {
        const bool same = std::all_of(rows.begin(), rows.end(), [&, one = seed](const EvalResult* row) {
            return row->seed != one || row->checkpoint == checkpoint.at(one);
        });
        if (names.size() > 1 && !same) {
            throw DataError(input + " holds " + std::to_string(names.size()) + " runs of seed " + std::to_string(seed) +
                            " (" + quoted_list(names) + "), and compare pairs runs by seed: name one of them");
        }
        if (!same) {
            log::warn(*names.begin() + " was measured at several checkpoints (updates " +
                      quoted_list(updates.at(seed)) + "): the last row of each measurement is used; " + input +
                      "@step=N selects another");
        }
    }
    std::vector<const EvalResult*> kept;
    for (const auto* row : rows) {
        const auto same = std::find_if(kept.begin(), kept.end(), [&](const EvalResult* one) {
            return one->seed == row->seed && one->matches(*row, Measurement::kConditions | Measurement::kData);
        });
        if (same == kept.end())
            kept.push_back(row);
        else
            *same = row;
    }
    return kept;
}

std::set<std::uint64_t> seeds_of(const std::vector<const EvalResult*>& rows) {
    std::set<std::uint64_t> seeds;
    for (const auto* row : rows) seeds.insert(row->seed);
    return seeds;
}

std::string seeds_text(const std::set<std::uint64_t>& seeds) {
    std::vector<std::string> texts;
    for (const auto seed : seeds) texts.push_back(std::to_string(seed));
    return (seeds.size() == 1 ? "seed " : "seeds ") + join(texts, ", ");
}

std::string measurements_text(const ComparisonSide& side) {
    std::vector<std::string> texts;
    for (const auto* row : side.rows) {
        auto text = row->text();
        if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
    }
    if (texts.size() > 6) texts = {texts[0], texts[1], texts[2], "... (" + std::to_string(texts.size()) + " in all)"};
    return side.name + " has " + join(texts, "; ");
}

// The rows of one measurement by seed.
using BySeed = std::map<std::uint64_t, const EvalResult*>;
BySeed rows_like(const ComparisonSide& side, const EvalResult& like, const std::set<std::uint64_t>& seeds) {
    BySeed rows;
    for (const auto* row : side.rows) {
        if (measured_alike(*row, like) && same_text(*row, like) && seeds.count(row->seed) > 0) rows[row->seed] = row;
    }
    return rows;
}

// Throws DataError if only `one` has a seed for this measurement.
void refuse_unpaired(const ComparisonSide& one, const BySeed& rows, const ComparisonSide& other, const BySeed& others) {
    std::set<std::uint64_t> untrained, unmeasured, shared;
    std::vector<std::string> texts;
    for (const auto& [seed, row] : rows) {
        if (others.count(seed) > 0)
            shared.insert(seed);
        else
            (other.has_seed(seed) ? unmeasured : untrained).insert(seed);
    }
    if (untrained.empty() && unmeasured.empty()) return;
    const auto what = rows.begin()->second->text();
    std::string text = "compare pairs runs by seed, and ";
    if (!untrained.empty()) {
        text += seeds_text(untrained) + (untrained.size() == 1 ? " is" : " are") + " only in " + one.name + ": train " +
                other.name + " with it too (train.seed=" + std::to_string(*untrained.begin()) + ")";
    }
    if (!unmeasured.empty()) {
        text += (untrained.empty() ? "" : "; ") + seeds_text(unmeasured) + " of " + other.name +
                (unmeasured.size() == 1 ? " was" : " were") + " not measured like that of " + one.name + " (" + what +
                "): `longbow eval` it, or name the lengths that both have (--lengths)";
    }
    if (!shared.empty()) {
        std::vector<std::string> names;
        for (const auto seed : shared) names.push_back(std::to_string(seed));
        text += ", or compare only the shared ones (--seeds " + join(names, ",") + ")";
    } else {
        text += ", or name one run a side";
    }
    throw DataError(text);
}

std::set<std::uint64_t> wanted_seeds(const ComparisonSide& a, const ComparisonSide& b, const PairingRequest& request) {
    auto seeds = seeds_of(a.rows);
    seeds.merge(seeds_of(b.rows));
    if (request.seeds.empty()) return seeds;
    for (const auto seed : request.seeds) {
        for (const auto* side : {&a, &b}) {
            if (!side->has_seed(seed)) {
                throw DataError("--seeds " + std::to_string(seed) + ": " + side->name + " has " +
                                seeds_text(seeds_of(side->rows)));
            }
        }
    }
    return {request.seeds.begin(), request.seeds.end()};
}

}  // namespace

bool ComparisonSide::has_seed(std::uint64_t seed) const {
    return std::any_of(rows.begin(), rows.end(), [&](const EvalResult* row) { return row->seed == seed; });
}

ComparisonSide comparison_side(const std::vector<ReportRun>& runs, const std::string& input,
                               const std::string& select) {
    const bool by_step = starts_with(select, "step=");
    const bool last = select == "last";
    std::vector<const EvalResult*> rows;
    std::set<std::string> available;
    std::map<std::uint64_t, std::int64_t> newest;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) newest[row.seed] = std::max(newest[row.seed], row.updates);
    }
    for (const auto& run : runs) {
        for (const auto& row : run.rows) {
            available.insert(by_step || last ? row.name + " at update " + std::to_string(row.updates) : row.name);
            const bool take = by_step ? select.substr(5) == std::to_string(row.updates)
                              : last  ? row.updates == newest.at(row.seed)
                                      : selected(row, select);
            if (take) rows.push_back(&row);
        }
    }
    if (rows.empty()) throw DataError(input + ": no row of '" + select + "'; there are " + quoted_list(available));
    const auto whole = select.empty() ? input : input.substr(0, input.size() - select.size() - 1);
    refuse_several_methods(rows, whole);
    ComparisonSide side{input, "", last_rows(rows, whole)};
    side.name = side_name(side.rows);
    return side;
}

Pairing pair_sides(const ComparisonSide& a, const ComparisonSide& b, const PairingRequest& request) {
    const auto wanted = [&](const EvalResult& row) {
        return request.lengths.empty() ||
               std::find(request.lengths.begin(), request.lengths.end(), row.length) != request.lengths.end();
    };
    for (const auto length : request.lengths) {
        for (const auto* side : {&a, &b}) {
            const bool has = std::any_of(side->rows.begin(), side->rows.end(),
                                         [&](const EvalResult* row) { return row->length == length; });
            if (!has)
                throw DataError("--lengths " + std::to_string(length) + ": " + measurements_text(*side) +
                                ": `longbow eval` it first");
        }
    }
    const auto seeds = wanted_seeds(a, b, request);
    const bool single = seeds_of(a.rows).size() == 1 && seeds_of(b.rows).size() == 1;
    Pairing pairing;
    std::vector<const EvalResult*> seen;
    RowPair unlike{nullptr, nullptr};  // measured alike, on different texts
    const auto look = [&](const ComparisonSide& side) {
        for (const auto* like : side.rows) {
            const bool known = std::any_of(seen.begin(), seen.end(), [&](const EvalResult* row) {
                return measured_alike(*row, *like) && same_text(*row, *like);
            });
            if (known || !wanted(*like)) continue;
            seen.push_back(like);
            const auto of_a = rows_like(a, *like, seeds), of_b = rows_like(b, *like, seeds);
            if (of_a.empty() || of_b.empty()) {
                const auto& other = &side == &a ? b : a;
                const auto alike = std::find_if(other.rows.begin(), other.rows.end(),
                                                [&](const EvalResult* row) { return measured_alike(*row, *like); });
                if (alike != other.rows.end()) unlike = {&side == &a ? like : *alike, &side == &a ? *alike : like};
                if (!of_a.empty() || !of_b.empty())
                    pairing.left_out.push_back(like->text() + (alike == other.rows.end() ? "" : ", this text") + " (" +
                                               side.name + " alone)");
                continue;
            }
            if (single) {
                pairing.measurements.push_back({{of_a.begin()->second, of_b.begin()->second}});
                continue;
            }
            refuse_unpaired(a, of_a, b, of_b);
            refuse_unpaired(b, of_b, a, of_a);
            pairing.measurements.emplace_back();
            for (const auto& [seed, row] : of_a) pairing.measurements.back().push_back({row, of_b.at(seed)});
        }
    };
    look(a);
    look(b);
    if (pairing.measurements.empty() && unlike.a != nullptr) compare_rows({unlike});  // throws, saying what differs
    if (pairing.measurements.empty()) {
        throw DataError(a.input + " and " + b.input +
                        " share no length, protocol, stride, split, token limit and dtype (" + measurements_text(a) +
                        "; " + measurements_text(b) + "): evaluate both with the same settings first");
    }
    return pairing;
}

}  // namespace longbow
