// Derives what each cell of the paper's tables measures from the tables' own columns and captions.
#include "longbow/paper/targets.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Kind = PublishedCell::Kind;

std::string dataset_name(const std::string& published) {
    if (published == "toronto-bookcorpus") return "bookcorpus";
    return published == "cc100+roberta" ? "cc100" : "wikitext103";
}

std::int64_t number_at(const PublishedTable& table, std::size_t row, const std::string& column) {
    const auto index = table.column(column);
    if (index == table.columns.size() || table.rows[row][index].kind != Kind::number) return 0;
    return static_cast<std::int64_t>(table.rows[row][index].value);
}

struct NamedMethod {
    const char *name, *published;
};
constexpr std::array kMethods{NamedMethod{"alibi", "alibi"}, NamedMethod{"sinusoidal", "sinusoidal"},
                              NamedMethod{"rotary", "rotary"}, NamedMethod{"t5", "t5_bias"}};

struct NamedQuantity {
    const char* column;
    Quantity quantity;
};
constexpr std::array kQuantities{
    NamedQuantity{"train_kwps", Quantity::train_speed},
    NamedQuantity{"eval_kwps", Quantity::batched_eval_speed},
    NamedQuantity{"inference_kwps", Quantity::eval_speed},
    NamedQuantity{"train_memory_gb", Quantity::train_memory},
    NamedQuantity{"memory_gb", Quantity::train_memory},
    NamedQuantity{"params_m", Quantity::parameters},
    NamedQuantity{"updates_k", Quantity::updates},
    NamedQuantity{"gpu_hours_k", Quantity::gpu_hours},
    NamedQuantity{"valid_ppl", Quantity::ppl},
    NamedQuantity{"test_ppl", Quantity::ppl},
};

// Fills in what the column's name says. Returns false for a column that measures nothing ("method").
bool read_column(const std::string& name, Target& target) {
    for (const auto& [column, quantity] : kQuantities) {
        if (name != column) continue;
        target.quantity = quantity;
        if (quantity == Quantity::ppl) target.split = name.substr(0, name.find('_'));
        return true;
    }
    if (starts_with(name, "lvalid_")) {  // lvalid_512, lvalid_512_ppl
        target.length = std::stoll(name.substr(7));
        return true;
    }
    const auto last = name.rfind('_');  // sinusoidal_ppl, t5_bias_wps
    if (last == std::string::npos || method_of(name.substr(0, last)).empty()) return false;
    target.method = method_of(name.substr(0, last));
    target.quantity = name.substr(last) == "_wps" ? Quantity::eval_speed : Quantity::ppl;
    return true;
}

// Returns the updates at which Table 11 stopped a model early, so that two models took the same time; 0 for the others.
// All other models of that data set trained to the table's largest number of updates.
double early_stop(const PublishedTable& table, std::size_t row) {
    const auto column = table.column("updates_k");
    if (column == table.columns.size()) return 0;
    double most = 0;
    for (const auto& cells : table.rows) most = std::max(most, cells[column].value);
    const double own = table.rows[row][column].value;
    return own < most ? own * 1000 : 0;
}

}  // namespace

std::string method_of(const std::string& published) {
    for (const auto& method : kMethods) {
        if (published == method.published) return method.name;
    }
    return "";
}

std::string published_method(const std::string& method) {
    for (const auto& one : kMethods) {
        if (method == one.name) return one.published;
    }
    return method;
}

std::optional<Target> target_of(const PublishedTable& table, std::size_t row, std::size_t column) {
    const auto& cell = table.rows[row][column];
    if (cell.kind != Kind::number && cell.kind != Kind::out_of_memory) return std::nullopt;
    Target target;
    target.dataset = dataset_name(table.dataset);
    target.split = table.split.empty() ? "valid" : table.split;
    target.stride = table.stride;
    for (const auto* name : {"method", "model"}) {
        const auto index = table.column(name);
        if (index < table.columns.size()) target.method = method_of(table.rows[row][index].text);
    }
    if (!read_column(table.columns[column], target) || target.method.empty()) return std::nullopt;
    for (const auto* name : {"eval_length", "input_length"}) {
        if (const auto length = number_at(table, row, name)) target.length = length;
    }
    target.train_length = table.train_length > 0 ? table.train_length : number_at(table, row, "train_length");
    // Baselines: each cell was trained at its own column's length.
    if (target.train_length == 0) target.train_length = target.length;
    if (target.quantity == Quantity::batched_eval_speed) target.length = target.train_length;
    const bool evaluates = target.quantity == Quantity::ppl || target.quantity == Quantity::eval_speed ||
                           target.quantity == Quantity::batched_eval_speed;
    if (!evaluates) {
        target.length = target.stride = 0;
        target.split.clear();
    }
    if (evaluates && target.length == 0) return std::nullopt;
    target.after_updates = early_stop(table, row);
    return target;
}

std::int64_t Scale::stride(const Target& target) const {
    if (target.stride == 0) return length(target.length);
    return target.stride == 1 ? 1 : length(target.stride);
}

std::int64_t Scale::stream_tokens(const Target& target) const {
    return target.stride == 1 && stride_1_tokens > 0 ? stride_1_tokens : max_stream_tokens;
}

std::vector<std::size_t> Scale::rows_of(const PublishedTable& table) const {
    const auto column = table.column("input_length");
    std::vector<std::size_t> kept;
    std::set<std::int64_t> seen;
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        const bool repeated = column < table.columns.size() &&
                              !seen.insert(length(static_cast<std::int64_t>(table.rows[row][column].value))).second;
        if (!repeated) kept.push_back(row);
    }
    if (column == table.columns.size() || rows < 2 || kept.size() <= rows) return kept;
    std::vector<std::size_t> few;
    for (std::size_t i = 0; i < rows; ++i) few.push_back(kept[i * (kept.size() - 1) / (rows - 1)]);
    return few;
}

std::string Scale::banner() const {
    std::string text;
    if (reduced()) {
        text = fmt::format(
            "DEMO SCALE, NOT A REPRODUCTION: a small model on Jane Austen's novels, every length divided by {}. It shows that the "
            "machinery works, and the direction of the curves; a comparison with the paper's numbers has no meaning.",
            divisor);
    }
    if (!changes.empty())
        text += (text.empty() ? "" : " ") + std::string("Settings changed by the caller: ") + join(changes, ", ") + ".";
    return text;
}

Scale demo_scale() {
    Scale scale;
    scale.name = "demo";
    scale.divisor = 8;
    scale.corpus = "austen";
    scale.rows = 10;
    scale.stride_1_tokens = 4096;
    return scale;
}

std::vector<std::string> scale_names() { return {Scale{}.name, demo_scale().name}; }

Scale scale_named(const std::string& name) {
    for (auto scale : {Scale{}, demo_scale()}) {
        if (scale.name == name) return scale;
    }
    throw UsageError("unknown scale '" + name + "': known are " + join(scale_names(), ", "));
}

}  // namespace longbow
