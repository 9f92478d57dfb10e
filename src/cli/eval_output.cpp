#include "eval_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

void check_writable(const std::string& path) {
    const bool there = fs::exists(path);
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) throw Error("cannot write " + path + ": " + std::strerror(errno));
    ::close(fd);
    if (!there) fs::remove(path);
}

// Columns right-aligned and two spaces apart; the first row is the header.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) text += std::string((i == 0 ? 0 : 2) + widths[i] - row[i].size(), ' ') + row[i];
        text += '\n';
    }
    return text;
}

std::string value_text(double value, int decimals) { return std::isfinite(value) ? strprintf("%.*f", decimals, value) : "-"; }

std::string interval_text(const EvalResult& row) { return row.ppl_ci ? strprintf("%.2f to %.2f", row.ppl_ci->low, row.ppl_ci->high) : "-"; }

// Where a row has no interval, why; where there are some, what they are.
std::string interval_note(const std::vector<EvalResult>& rows) {
    std::int64_t least = rows.front().blocks(), most = least;
    for (const auto& row : rows) {
        least = std::min(least, row.blocks());
        most = std::max(most, row.blocks());
    }
    const auto blocks = least == most ? with_commas(least) : with_commas(least) + " to " + with_commas(most);
    if (most < kLeastBlocks)
        return strprintf("\nno interval: %s blocks of 1,024 targets, and %lld are needed\n", blocks.c_str(),
                         static_cast<long long>(kLeastBlocks));
    return "\n95 % intervals: " + rows.front().ppl_ci_method + " over " + blocks + " blocks of 1,024 targets\n";
}

}  // namespace

std::string eval_table(const std::vector<EvalResult>& rows) {
    const auto& first = rows.front();
    auto text = strprintf("%s: position %s, trained at length %lld, update %s; %s split, protocol %s%s\n\n", first.name.c_str(),
                          first.position.c_str(), static_cast<long long>(first.train_length), with_commas(first.updates).c_str(),
                          first.split.c_str(), first.protocol.c_str(), first.within_documents ? ", within documents" : "");
    std::vector<std::vector<std::string>> table{
        {"length", "stride", "tokens", "nll", "ppl", "95 % interval", "bits/byte", "ppl/word", "tokens/s", "tensors MB"}};
    std::string unreached;
    for (const auto& row : rows) {
        if (!row.reached()) {
            unreached += strprintf("\nno window reached length %lld: the longest had %s tokens", static_cast<long long>(row.length),
                                   with_commas(row.longest_window).c_str());
        }
        table.push_back({std::to_string(row.length), std::to_string(row.stride), with_commas(row.tokens),
                         row.diverged() ? "diverged" : strprintf("%.4f", row.nll), value_text(row.ppl, 2), interval_text(row),
                         value_text(row.bits_per_byte, 4), value_text(row.ppl_per_word, 2), human_count(row.tokens_per_second),
                         strprintf("%.0f", row.peak_memory_mb)});
    }
    return text + aligned(table) + interval_note(rows) + (unreached.empty() ? "" : unreached + "\n");
}

void check_appendable(const std::string& path) { check_writable(path); }

void check_creatable(const std::string& path) {
    const auto parent = fs::absolute(path).parent_path();
    if (!fs::is_directory(parent)) throw Error("cannot write " + path + ": no directory " + parent.string());
    check_writable(path);
}

std::string logprobs_path(const std::string& pattern, std::int64_t length) {
    const std::string hole = "{length}";
    auto path = pattern;
    for (auto at = path.find(hole); at != std::string::npos; at = path.find(hole)) path.replace(at, hole.size(), std::to_string(length));
    return path;
}

void write_logprobs(const std::string& path, const std::vector<float>& nll) {
    std::string header = strprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%zu,), }", nll.size());
    header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');  // magic, version and length take 10 bytes; data start at 64 n
    header += '\n';
    std::string bytes = std::string("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xff);
    bytes += static_cast<char>(header.size() >> 8);
    bytes += header;
    std::vector<float> logprobs(nll.size());
    for (std::size_t i = 0; i < nll.size(); ++i) logprobs[i] = -nll[i];
    bytes.append(reinterpret_cast<const char*>(logprobs.data()), logprobs.size() * sizeof(float));
    write_file_atomic(path, bytes);
}

}  // namespace longbow
