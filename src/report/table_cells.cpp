#include "table_cells.h"

#include <algorithm>
#include <cmath>

#include "longbow/core/interval.h"

namespace longbow {

namespace {

double value_of(const EvalResult& row, Metric metric) {
    switch (metric) {
        case Metric::ppl: return row.ppl;
        case Metric::nll: return row.nll;
        case Metric::bpb: return row.bits_per_byte;
        default: return row.ppl_per_word;
    }
}

struct Spread {
    double mean = 0, sd = 0;
};
Spread spread_of(const std::vector<double>& values) {
    Spread spread;
    for (const double value : values) spread.mean += value / static_cast<double>(values.size());
    for (const double value : values) spread.sd += (value - spread.mean) * (value - spread.mean);
    spread.sd = values.size() > 1 ? std::sqrt(spread.sd / static_cast<double>(values.size() - 1)) : 0;
    return spread;
}

// No interval is shown for fewer than kLeastBlocks blocks: a single block has no spread, and the intervals over a few
// blocks, which rows of earlier versions hold, showed false winners.
std::optional<Interval> interval_in(const EvalResult& row, Metric metric) {
    if (!row.ppl_ci || row.blocks() < kLeastBlocks) return std::nullopt;
    const auto in = [&](double ppl) {
        switch (metric) {
            case Metric::ppl: return ppl;
            case Metric::nll: return std::log(ppl);
            case Metric::bpb: return row.bits_per_byte * std::log(ppl) / row.nll;
            default: return std::pow(row.ppl_per_word, std::log(ppl) / row.nll);
        }
    };
    return Interval{in(row.ppl_ci->low), in(row.ppl_ci->high)};
}

// Returns the interval of the mean over seeds. That of a perplexity is computed of its logarithm, the loss, so that it
// cannot reach below 0 where the few seeds differ much.
std::optional<Interval> interval_over_seeds(std::vector<double> values, Metric metric) {
    const bool perplexity = metric == Metric::ppl || metric == Metric::ppl_per_word;
    if (perplexity)
        std::transform(values.begin(), values.end(), values.begin(), [](double one) { return std::log(one); });
    auto interval = interval_of_values(values);
    if (interval && perplexity) interval = Interval{std::exp(interval->low), std::exp(interval->high)};
    return interval;
}

// Returns, for each block of a seed, its loss at `to` minus its loss at `from`; nullopt where the two lengths do not
// have the same blocks.
std::optional<std::vector<double>> block_differences(const EvalResult& from, const EvalResult& to) {
    const auto blocks = from.block_nll.size();
    const bool same = from.data == to.data && from.tokens == to.tokens && blocks == to.block_nll.size();
    if (!same || blocks == 0 || static_cast<std::int64_t>(blocks) != from.blocks()) return std::nullopt;
    std::vector<double> differences(blocks);
    for (std::size_t i = 0; i < blocks; ++i) differences[i] = to.block_nll[i] - from.block_nll[i];
    return differences;
}

}  // namespace

ReportCell cell_of(const Seeds& seeds, std::int64_t length, Metric metric) {
    std::vector<const EvalResult*> rows;
    for (const auto& [seed, of_seed] : seeds) {
        if (const auto found = of_seed.find(length); found != of_seed.end()) rows.push_back(found->second);
    }
    return cell_of(rows, metric);
}

ReportCell cell_of(const std::vector<const EvalResult*>& rows, Metric metric) {
    ReportCell cell;
    std::vector<double> values;
    for (const auto* found : rows) {
        const auto& row = *found;
        if (!row.reached()) {  // its windows are shorter; a number here would be read as one of this length
            ++cell.unreached;
            continue;
        }
        const double value = value_of(row, metric);
        if (row.diverged())
            ++cell.diverged;  // although its loss, and so its bits per byte, may be a number
        else if (std::isfinite(value))
            values.push_back(value);
        else
            ++cell.valueless;
        cell.tokens = row.tokens;
        cell.blocks = row.blocks();
        cell.interval = interval_in(row, metric);
        cell.interval_method = row.ppl_ci_method;
    }
    const auto spread = spread_of(values);
    cell.mean = values.empty() ? kNoValue : spread.mean;
    cell.sd = spread.sd;
    cell.seeds = static_cast<std::int64_t>(values.size());
    cell.over_seeds = interval_over_seeds(values, metric);
    if (cell.seeds != 1) cell.interval.reset();  // it is the last seed's, which says nothing about the others
    return cell;
}

std::optional<ReportGrowth> growth_of(const Seeds& seeds, std::int64_t train_length,
                                      const std::set<std::int64_t>& lengths) {
    if (lengths.size() < 2) return std::nullopt;
    ReportGrowth growth;
    growth.from = lengths.count(train_length) > 0 ? train_length : *lengths.begin();
    growth.to = *lengths.rbegin();
    if (growth.from == growth.to) return std::nullopt;
    std::vector<double> ratios;
    std::vector<std::vector<double>> differences;  // of the blocks' losses, one series a seed
    const EvalResult* first = nullptr;
    for (const auto& [seed, rows] : seeds) {
        if (rows.count(growth.from) == 0 || rows.count(growth.to) == 0) continue;
        const auto *from = rows.at(growth.from), *to = rows.at(growth.to);
        if (!std::isfinite(to->ppl / from->ppl)) continue;  // a seed that diverged has no growth
        ratios.push_back(to->ppl / from->ppl);
        if (first == nullptr) first = from;
        if (auto of_seed = block_differences(*from, *to)) differences.push_back(std::move(*of_seed));
    }
    if (ratios.empty()) return std::nullopt;
    const auto spread = spread_of(ratios);
    growth.ratio = spread.mean;
    growth.sd = spread.sd;
    growth.seeds = static_cast<std::int64_t>(ratios.size());
    growth.blocks = first->blocks();
    if (differences.size() == 1 && ratios.size() == 1) {
        const auto interval = mean_estimate(differences, block_counts(first->tokens)).interval;
        if (interval) growth.interval = Interval{std::exp(interval->low), std::exp(interval->high)};
    }
    return growth;
}

}  // namespace longbow
