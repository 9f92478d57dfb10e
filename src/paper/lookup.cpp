// Finds our own measurement of a published cell, in what training and evaluation wrote into a run.
#include "longbow/paper/lookup.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "longbow/core/files.h"
#include "longbow/core/interval.h"
#include "longbow/core/json.h"
#include "longbow/core/json_number.h"
#include "longbow/core/output.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/report/format.h"

namespace longbow {

namespace {

// Reads the files of one run, each once, when it is first needed.
class RunFiles {
public:
    explicit RunFiles(const ReportRun& run) : run_(run), folder_(whole_path(run.results).parent_path()) {
        rows_["results.jsonl"] = run.rows;
    }

    const std::vector<EvalResult>& rows(const std::string& file) {
        const auto found = rows_.find(file);
        return found != rows_.end() ? found->second : rows_[file] = read_results((folder_ / file).string());
    }

    const std::vector<Json>& training() {
        if (training_) return *training_;
        training_.emplace();
        for (const auto& row : run_.metrics) {
            if (row.value("event", "") == "train" && row.contains("timing")) training_->push_back(row);
        }
        return *training_;
    }

    std::optional<double> parameters() {
        if (parameters_) return parameters_;
        for (const auto* link : {"best", "last"}) {
            const auto file = folder_ / "checkpoints" / link / "model.safetensors";
            if (!fs::exists(file)) continue;
            const MappedFile map(file);
            double count = 0;
            for (const auto& tensor : parse_safetensors_header(map.bytes(), file.string()).tensors) {
                count += std::accumulate(tensor.shape.begin(), tensor.shape.end(), 1.0,
                                         [](double a, std::int64_t b) { return a * static_cast<double>(b); });
            }
            return parameters_ = count;
        }
        return std::nullopt;
    }

    // Returns whether the row is of the target's data set. A row of an earlier version names none; it counts unless the
    // path of its run's store names another of the paper's data sets.
    [[nodiscard]] bool is_of(const EvalResult& row, const Target& target, const Scale& scale) const {
        if (!row.data_set.empty()) return row.data_set == scale.data_set(target);
        const auto& dataset = target.dataset;
        const auto store = run_.settings.find("data.store");
        if (store == run_.settings.end() || store->second.find(dataset) != std::string::npos) return true;
        const auto known = {"wikitext103", "bookcorpus", "cc100"};
        return std::none_of(known.begin(), known.end(),
                            [&](const char* name) { return store->second.find(name) != std::string::npos; });
    }

private:
    const ReportRun& run_;
    fs::path folder_;
    std::map<std::string, std::vector<EvalResult>> rows_;
    std::optional<std::vector<Json>> training_;
    std::optional<double> parameters_;
};

bool is_model(const RunFiles& run, const EvalResult& row, const Target& target, const Scale& scale) {
    return run.is_of(row, target, scale) && row.position == target.method &&
           row.train_length == scale.length(target.train_length);
}

// For an early stop, the row with the fewest updates counts: the model may have been measured again later in its
// training.
std::optional<Measured> evaluation(RunFiles& run, const Target& target, const Scale& scale) {
    std::optional<Measured> found;
    auto fewest = std::numeric_limits<std::int64_t>::max();
    Measurement wanted;
    wanted.length = scale.length(target.length);
    wanted.stride = scale.stride(target);
    wanted.split = target.split;
    wanted.max_stream_tokens = scale.stream_tokens(target);
    for (const auto& row : run.rows(measurement_file(target))) {
        const bool same = is_model(run, row, target, scale) && row.matches(wanted, Measurement::kGridConditions);
        if (!same || !row.reached() || (target.after_updates > 0 && row.updates > fewest)) continue;
        fewest = row.updates;
        found = {target.quantity == Quantity::ppl ? row.ppl : row.tokens_per_second, std::nullopt, std::nullopt,
                 row.tokens, corpus_text(row.data_name, row.data)};
        if (target.quantity == Quantity::ppl && row.ppl_ci && row.blocks() >= kLeastBlocks) {
            found->low = row.ppl_ci->low;
            found->high = row.ppl_ci->high;
        }
    }
    return found;
}

double median_speed(const std::vector<Json>& rows) {
    std::vector<double> speeds;
    for (const auto& row : rows) {
        const double speed = number_at(row["timing"], "tokens_per_second");
        if (std::isfinite(speed)) speeds.push_back(speed);
    }
    if (speeds.empty()) return kNoValue;
    const auto middle = speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2);
    std::nth_element(speeds.begin(), middle, speeds.end());
    return *middle;
}

std::optional<Measured> training(RunFiles& run, const Target& target, const Scale& scale) {
    const auto& evaluated = run.rows(measurement_file(target));
    auto own = evaluated.end();
    for (auto row = evaluated.begin(); row != evaluated.end(); ++row) {
        if (is_model(run, *row, target, scale) && (own == evaluated.end() || row->updates < own->updates)) own = row;
    }
    if (own == evaluated.end()) return std::nullopt;
    const auto plain = [](double value) { return Measured{value, std::nullopt, std::nullopt, 0}; };
    if (target.quantity == Quantity::parameters) {
        const auto count = run.parameters();
        return count ? std::optional(plain(*count)) : std::nullopt;
    }
    auto rows = run.training();
    if (target.after_updates > 0)
        std::erase_if(rows,
                      [&](const Json& row) { return number_at(row, "update") > static_cast<double>(own->updates); });
    if (rows.empty()) return std::nullopt;
    const auto& last = rows.back();
    switch (target.quantity) {
        case Quantity::train_speed: return plain(median_speed(rows));
        case Quantity::train_memory: return plain(number_at(last["timing"], "memory_mb") * 1e6);
        case Quantity::gpu_hours: return plain(number_at(last["timing"], "seconds") / 3600);
        default: return plain(number_at(last, "update"));
    }
}

}  // namespace

std::string measurement_file(const Target& target) {
    if (target.after_updates > 0) return "early.jsonl";
    return target.quantity == Quantity::batched_eval_speed ? "speed.jsonl" : "results.jsonl";
}

Lookup lookup_in(const std::vector<ReportRun>& runs, const Scale& scale) {
    auto files = std::make_shared<std::vector<RunFiles>>(runs.begin(), runs.end());
    return [files, scale](const Target& target) {
        std::optional<Measured> found;
        for (auto& run : *files) {
            auto measured = target.length > 0 ? evaluation(run, target, scale) : training(run, target, scale);
            if (measured) found = measured;
        }
        return found;
    };
}

}  // namespace longbow
