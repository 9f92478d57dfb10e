#include "eval_output.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longbow/core/dtype.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/number_text.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

std::string interval_text(const EvalResult& row) {
    return row.ppl_ci ? fmt::format("{:.2f} to {:.2f}", row.ppl_ci->low, row.ppl_ci->high) : "-";
}

// Says why the rows have no intervals, or how the intervals were computed.
std::string interval_note(const std::vector<EvalResult>& rows) {
    std::int64_t least = rows.front().blocks(), most = least;
    for (const auto& row : rows) {
        least = std::min(least, row.blocks());
        most = std::max(most, row.blocks());
    }
    const auto blocks = least == most ? with_commas(least) : with_commas(least) + " to " + with_commas(most);
    if (most < kLeastBlocks)
        return fmt::format("no interval: {} block{} of 1,024 targets, and {} are needed", blocks, most == 1 ? "" : "s",
                           kLeastBlocks);
    std::set<std::string> methods;  // rows of earlier versions have another method
    for (const auto& row : rows) methods.insert(row.ppl_ci_method);
    return "95 % intervals: " + join({methods.begin(), methods.end()}, ", ") + " over " + blocks +
           " blocks of 1,024 targets";
}

}  // namespace

std::string eval_table(const std::vector<EvalResult>& rows, int width) {
    const auto& first = rows.front();
    const auto heading =
        fmt::format("{}: position {}, trained at length {}, update {}; {} split, protocol {}{}{}{}",
                    printable(first.name), first.position, length_text(first.train_length), with_commas(first.updates),
                    first.split, first.protocol, first.within_documents ? ", within documents" : "", first.rules_text(),
                    first.dtype == name_of(DType::fp32) ? "" : ", " + first.dtype);
    std::vector<TableColumn> table{{"length", 0, {}},    {"stride", 4, {}},   {"tokens", 3, {}},
                                   {"nll", 2, {}},       {"ppl", 0, {}},      {"95 % interval", 1, {}},
                                   {"bits/byte", 5, {}}, {"ppl/word", 6, {}}, {"tokens/s", 7, {}},
                                   {"tensors MB", 8, {}}};
    std::string unreached;
    for (const auto& row : rows) {
        if (!row.reached()) {
            unreached += wrapped(fmt::format("no window had length {}: the longest had {} tokens", row.length,
                                             with_commas(row.longest_window)),
                                 width) +
                         "\n";
        }
        const std::vector<std::string> cells{std::to_string(row.length),
                                             std::to_string(row.stride),
                                             with_commas(row.tokens),
                                             row.diverged() ? "diverged" : fmt::format("{:.4f}", row.nll),
                                             number_or_dash(row.ppl, 2),
                                             interval_text(row),
                                             number_or_dash(row.bits_per_byte, 4),
                                             number_or_dash(row.ppl_per_word, 2),
                                             human_count(row.tokens_per_second),
                                             fmt::format("{:.0f}", row.peak_memory_mb)};
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    std::vector<std::string> left_out;
    auto text = wrapped(heading, width) + "\n\n" + aligned_table(table, width, &left_out) + "\n" +
                wrapped(interval_note(rows), width) + "\n" + unreached;
    if (first.documents_left_out > 0) {
        text += wrapped("documents with fewer than " + with_commas(first.min_document_tokens) +
                            " tokens, left out: " + with_commas(first.documents_left_out),
                        width) +
                "\n";
    }
    if (!left_out.empty())
        text += wrapped("columns omitted because the terminal is too narrow: " + join(left_out, ", "), width) + "\n";
    return text;
}

}  // namespace longbow
