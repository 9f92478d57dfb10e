#include "longbow/eval/eval_result.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <type_traits>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

Json json_of(const std::vector<double>& values) {
    Json list = Json::array();
    for (const double value : values) list.push_back(std::isfinite(value) ? Json(value) : Json());
    return list;
}
Json json_of(double value) { return std::isfinite(value) ? Json(value) : Json(); }
Json json_of(std::optional<Bos> value) { return value ? Json(name_of(*value)) : Json(); }
template <class Value>
Json json_of(const Value& value) {
    return value;
}

double double_of(const Json& json) { return json.is_null() ? kNoValue : json.get<double>(); }
void read_into(const Json& json, double& value) { value = double_of(json); }
void read_into(const Json& json, std::vector<double>& values) {
    if (!json.is_array()) throw Json::type_error::create(302, "type must be array", &json);
    values.clear();
    for (const auto& item : json) values.push_back(double_of(item));
}
// A count must be whole and fit its type; the JSON library would silently convert other numbers.
void read_into(const Json& json, std::int64_t& value) {
    const bool beyond = json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
    const bool broken = json.is_number_float() &&
                        (std::abs(json.get<double>()) > 9e15 || json.get<double>() != std::floor(json.get<double>()));
    if (beyond || broken) throw Json::type_error::create(302, "type must be a whole number", &json);
    json.get_to(value);
}
void read_into(const Json& json, std::optional<Bos>& value) {
    value = choice_named<Bos>(json.get<std::string>());
    if (!value) throw Json::other_error::create(501, "no such rule", &json);
}
template <class Value>
void read_into(const Json& json, Value& value) {
    json.get_to(value);
}

// Visits every key once, for both directions. Calls `field(key, member, required)`.
template <class Result, class Visit>
void visit_fields(Result& r, Visit&& field) {
    field("name", r.name, false);
    field("model", r.model, false);
    field("overrides", r.overrides, false);
    field("position", r.position, true);
    field("train_length", r.train_length, true);
    field("length", r.length, true);
    field("stride", r.stride, true);
    field("protocol", r.protocol, true);
    field("split", r.split, true);
    field("within_documents", r.within_documents, false);
    field("max_stream_tokens", r.max_stream_tokens, false);
    field("bos", r.bos, false);
    field("truncate", r.truncate, false);
    field("min_document_tokens", r.min_document_tokens, false);
    field("tokens", r.tokens, true);
    field("windows", r.windows, false);
    field("longest_window", r.longest_window, false);
    field("documents_left_out", r.documents_left_out, false);
    field("nll", r.nll, true);
    field("ppl", r.ppl, true);
    // ppl_ci, ppl_ci_method and blocks follow here in the file; to_json() writes them itself
    field("tool_ppl", r.tool_ppl, false);
    field("bits_per_byte", r.bits_per_byte, false);
    field("words", r.words, false);
    field("ppl_per_word", r.ppl_per_word, false);
    field("seed", r.seed, false);
    field("updates", r.updates, false);
    field("dtype", r.dtype, false);
    field("device", r.device, false);
    field("tokens_per_second", r.tokens_per_second, false);
    field("peak_memory_mb", r.peak_memory_mb, false);
    field("visited_fraction", r.visited_fraction, false);
    field("rounded_bias", r.rounded_bias, false);
    field("checkpoint", r.checkpoint, true);
    field("data", r.data, true);
    field("data_name", r.data_name, false);
    field("data_set", r.data_set, false);
    field("tokenizer", r.tokenizer, true);
    field("config", r.config, true);
    field("config_group", r.config_group, false);
    field("position_begin", r.position_begin, false);
    field("nll_by_position", r.nll_by_position, false);
    field("tokens_by_position", r.tokens_by_position, false);
    field("block_nll", r.block_nll, false);
    field("block_bytes", r.block_bytes, false);
}

// Keys that came after the first version are absent from a row that has nothing to say there.
template <class Value>
bool is_left_out(const char* key, const Value& value) {
    static constexpr std::array kLater{"model", "data_set", "rounded_bias",        "overrides",
                                       "bos",   "truncate", "min_document_tokens", "documents_left_out"};
    return value == Value{} &&
           std::any_of(kLater.begin(), kLater.end(), [&](const char* later) { return std::strcmp(key, later) == 0; });
}

}  // namespace

Json to_json(const EvalResult& result) {
    Json json;
    visit_fields(result, [&](const char* key, const auto& value, bool) {
        if (is_left_out(key, value)) return;
        json[key] = json_of(value);
        if (std::strcmp(key, "train_length") == 0 && result.train_length == 0) json[key] = nullptr;  // unknown
        if (std::strcmp(key, "ppl") != 0) return;
        json["ppl_ci"] = result.ppl_ci ? json_of(std::vector<double>{result.ppl_ci->low, result.ppl_ci->high}) : Json();
        json["ppl_ci_method"] = result.ppl_ci_method;
        json["blocks"] = result.blocks();
    });
    return json;
}

EvalResult eval_result_from_json(const Json& json, const std::string& where) {
    if (!json.is_object()) throw DataError(where + ": a row of results.jsonl is a JSON object");
    EvalResult result;
    visit_fields(result, [&](const char* key, auto& value, bool required) {
        const auto found = json.find(key);
        constexpr bool may_be_null = std::is_same_v<std::remove_reference_t<decltype(value)>, double>;
        if (found != json.end() && found->is_null() && std::strcmp(key, "train_length") == 0) return;
        if (found == json.end() || (found->is_null() && !may_be_null)) {
            if (required) throw DataError(where + ": no key \"" + key + "\": not a row written by longbow eval");
            return;
        }
        try {
            read_into(*found, value);
        } catch (const Json::exception&) {
            throw DataError(where + ": key \"" + key + "\" has the wrong type or value: " + json_text(*found));
        }
    });
    for (const auto& [key, value] :
         {std::pair{"length", result.length}, {"stride", result.stride}, {"tokens", result.tokens}}) {
        if (value < 1)
            throw DataError(where + ": \"" + key + "\": " + std::to_string(value) +
                            " is not a value that longbow eval writes");
    }
    if (result.words == 0) result.ppl_per_word = kNoValue;  // rows of earlier versions have 0 there
    if (result.bits_per_byte == 0 && result.nll != 0) result.bits_per_byte = kNoValue;
    const auto ci = json.find("ppl_ci");
    if (ci != json.end() && ci->is_array() && ci->size() == 2 && (*ci)[0].is_number() && (*ci)[1].is_number()) {
        result.ppl_ci = Interval{(*ci)[0], (*ci)[1]};
    }
    const auto method = json.find("ppl_ci_method");
    result.ppl_ci_method = method != json.end() && method->is_string() ? method->get<std::string>() : kBootstrapMethod;
    return result;
}

bool EvalResult::diverged() const { return !std::isfinite(nll) || !std::isfinite(std::exp(nll)); }

namespace {

// Says what is wrong with a line that is not JSON, and the remedy.
std::string line_fault(const std::string& line) {
    if (line.find('\0') != std::string::npos) return "not JSON (it holds a NUL); remove the damaged line";
    for (const char* number : {"NaN", "Infinity"}) {
        if (line.find(number) == std::string::npos) continue;
        return std::string("not JSON (it holds ") + number + ", as Python writes it); a number without a value is null";
    }
    return "not JSON; remove the damaged line";
}

}  // namespace

std::vector<EvalResult> read_results(const std::string& path) {
    std::vector<EvalResult> rows;
    if (!fs::exists(path)) return rows;
    const auto text = read_file(path);
    if (encoding_of_bom(text) != nullptr) throw DataError(path + ": " + utf8_problem(text));
    const bool whole = text.empty() || text.back() == '\n';
    const auto lines = split(text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (trim(lines[i]).empty()) continue;
        const auto where = path + ":" + std::to_string(i + 1);
        const auto json = parse_json(lines[i]);
        if (json.is_discarded()) {
            // Anything else is not one of our rows.
            if (i + 1 == lines.size() && !whole && trim(lines[i]).front() == '{') {
                log::warn(where + ": the last row was cut short and is ignored");
                break;
            }
            throw DataError(where + ": " + line_fault(lines[i]));
        }
        rows.push_back(eval_result_from_json(json, where));
    }
    return rows;
}

void append_result(const std::string& path, const EvalResult& result) { append_row(path, to_json(result)); }

void append_row(const std::string& path, const Json& row) {
    // A row that was cut short by a kill or a full disk is removed, so that the file stays readable.
    const auto before = fs::exists(path) ? read_file(path) : std::string();
    auto keep = before.rfind('\n') == std::string::npos ? 0 : before.rfind('\n') + 1;
    // If an editor removed the newline at the end, the last row is whole nevertheless.
    const bool unended = keep < before.size() && !parse_json(before.substr(keep)).is_discarded();
    if (unended) keep = before.size();
    const auto line = (unended ? "\n" : "") + json_text(row) + "\n";
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) throw_file_error("cannot open", path);
    bool ok = keep == before.size() || ::ftruncate(fd, static_cast<off_t>(keep)) == 0;
    for (std::size_t done = 0; ok && done < line.size();) {
        const auto written = ::write(fd, line.data() + done, line.size() - done);
        ok = written >= 0 || errno == EINTR;
        if (written > 0) done += static_cast<std::size_t>(written);
    }
    ok = ok && ::fsync(fd) == 0;
    const int error = errno;
    if (!ok && ::ftruncate(fd, static_cast<off_t>(keep)) != 0) log::warn(path + ": a row was cut short");
    ::close(fd);
    if (!ok) throw Error(path + ": the row could not be written: " + file_error_text(error));
}

}  // namespace longbow
