// Finds out what is to be measured of public models, and what of it is measured already.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longbow/checkpoint/public_model.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/input.h"
#include "longbow/core/strings.h"
#include "longbow/eval/protocol.h"
#include "longbow/eval/runs.h"
#include "longbow/grid/cost.h"
#include "public_costs.h"

namespace longbow {

namespace {

constexpr double kAssumedBytes = 4;         // of text a token, where a plan must know before anything is encoded
constexpr const char* kTextSplit = "text";  // as rows of `eval --text` call it

// Returns each model as it is to be measured: where programs compute different things, also as transformers does.
std::vector<std::string> with_rounded(const std::vector<std::string>& models) {
    std::vector<std::string> all;
    for (const auto& text : models) {
        all.push_back(text);
        auto model = public_model(text);
        if (!model || model->is_file() || model->rounded || model_facts(text).definition.empty()) continue;
        model->rounded = true;
        all.push_back(model->text());
    }
    return all;
}

// Returns what a row's name is made of, for run_names().
fs::path place_of(const std::string& text) {
    const auto model = public_model(text);
    if (model) return model->place;
    const auto at = text.rfind('@');
    return fs::exists(text) || at == std::string::npos ? text : text.substr(0, at);
}

std::vector<std::string> names_of(const std::vector<std::string>& models) {
    std::vector<fs::path> places;
    for (const auto& text : models) places.push_back(place_of(text));
    auto names = run_names(places);
    for (std::size_t i = 0; i < models.size(); ++i) {
        if (const auto model = public_model(models[i])) names[i] += model->variant();
    }
    return names;
}

// Returns the folder of a model's rows. What a model and the text contain is a part of it, so that all rows in it are
// of both.
std::string folder_of(const PublicEntry& entry, const std::string& text_key) {
    std::string name = entry.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '/' || c == ' '; }, '-');
    const auto key = fingerprint(entry.facts.key + "\n" + text_key);
    return name + "-" + key.substr(key.size() - 8);
}

PublicCell cell_of(const PublicEntry& entry, double multiple, const PublicRequest& request) {
    PublicCell cell;
    cell.multiple = multiple;
    cell.length = static_cast<std::int64_t>(multiple * static_cast<double>(entry.facts.config.train.length));
    const auto& settings = request.settings;
    const auto shortest = std::max<std::int64_t>(1, protocol_named(settings.protocol).shortest_length);
    if (cell.length < shortest) {
        cell.absent = fmt::format("protocol {} begins at {} tokens", settings.protocol, shortest);
    } else if (entry.facts.max_length > 0 && cell.length > entry.facts.max_length) {
        cell.absent = fmt::format("its positions end at {}", entry.facts.max_length);
    } else if (settings.stride > cell.length) {
        throw UsageError(
            fmt::format("stride: {} is more than {}, {} times the length that {} was trained at: take less, "
                        "or leave the multiple out",
                        settings.stride, cell.length, multiple, entry.name));
    }
    return cell;
}

void find_measured(PublicEntry& entry, const PublicRequest& request) {
    const auto rows = read_results((request.run_dir / entry.folder / "results.jsonl").string());
    for (auto& cell : entry.cells) {
        Measurement wanted;
        wanted.protocol = request.settings.protocol;
        wanted.length = cell.length;
        wanted.stride = stride_at(request.settings, cell.length);
        wanted.max_stream_tokens = request.max_stream_tokens;
        wanted.split = kTextSplit;
        constexpr unsigned kParts = Measurement::kProtocol | Measurement::kLength | Measurement::kStride |
                                    Measurement::kLimit | Measurement::kSplit | Measurement::kDocuments |
                                    Measurement::kTruncate | Measurement::kLeastDocument;
        for (const auto& row : rows) {
            if (cell.absent.empty() && row.matches(wanted, kParts)) cell.row = row;
        }
    }
}

PublicEntry entry_of(const std::string& model, const std::string& name, const std::string& text_key,
                     const PublicRequest& request) {
    PublicEntry entry;
    entry.model = model;
    entry.name = name;
    entry.facts = model_facts(model);
    if (entry.facts.config.train.length == 0) {
        throw UsageError(model + ": its files do not say at which length it was trained: say it as " +
                         (public_model(model)
                              ? model + (model.find('@') == std::string::npos ? "@" : ",") + "train-length=N"
                              : "--train-length N when you import it"));
    }
    entry.folder = folder_of(entry, text_key);
    for (const auto multiple : request.settings.multiples) entry.cells.push_back(cell_of(entry, multiple, request));
    find_measured(entry, request);
    return entry;
}

}  // namespace

std::vector<std::int64_t> PublicEntry::missing() const {
    std::vector<std::int64_t> lengths;
    for (const auto& cell : cells) {
        if (cell.absent.empty() && !cell.row) lengths.push_back(cell.length);
    }
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    return lengths;
}

std::int64_t stride_at(const PublicSettings& settings, std::int64_t length) {
    return settings.stride > 0 ? settings.stride : protocol_named(settings.protocol).stride_at(length);
}

GridPlan as_grid(const PublicPlan& plan, const PublicRequest& request) {
    GridPlan grid;
    for (const auto& entry : plan.entries) {
        auto& model = grid.models.emplace_back();
        model.name = model.timed_as = entry.name;
        model.config = entry.facts.config;
        model.config.data.expect_vocab_size = entry.facts.vocab_size;
        for (const auto length : entry.missing()) {
            PlannedEval eval;
            eval.file = "results.jsonl";
            eval.split = kTextSplit;
            eval.stride = stride_at(request.settings, length);
            eval.stream_tokens = request.max_stream_tokens;
            eval.split_tokens = plan.text_bytes / kAssumedBytes;
            eval.lengths = eval.missing = {length};
            model.evals.push_back(std::move(eval));
        }
    }
    count_flops(grid);
    return grid;
}

PublicPlan plan_public(const PublicRequest& request) {
    PublicPlan plan;
    if (request.settings.stride > 0 && !protocol_named(request.settings.protocol).strided) {
        throw ConfigError("stride: protocol " + request.settings.protocol +
                          " has a stride of its own: set 0, or take another protocol");
    }
    std::string text_key;
    for (const auto& file : request.settings.text) {
        if (!fs::exists(file)) {
            throw DataError(file +
                            ": the text does not exist; scripts/corpora/austen fetches the default one, and "
                            "--text names your own");
        }
        if (!can_be_read_again(file))
            throw UsageError(file +
                             ": the text is read once for each model, and a pipe only once: copy it into a file");
        plan.text_bytes += static_cast<double>(fs::file_size(file));
        text_key += fingerprint_file(file) + "\n";
    }
    const auto models = with_rounded(request.models);
    const auto names = names_of(models);
    std::set<std::string> folders;
    for (std::size_t i = 0; i < models.size(); ++i) {
        auto entry = entry_of(models[i], names[i], text_key, request);
        if (!folders.insert(entry.folder).second)
            throw UsageError("--models: " + models[i] + " is named twice, or is the same as another of its name");
        entry.rounded_beside =
            std::find(request.models.begin(), request.models.end(), models[i]) == request.models.end();
        plan.entries.push_back(std::move(entry));
    }
    return plan;
}

std::string public_plan_text(const PublicPlan& plan, const PublicRequest& request) {
    auto text = fmt::format(
        "public models in {}: protocol {}, {}, {} of text\n\n", request.run_dir.string(), request.settings.protocol,
        request.settings.stride > 0 ? fmt::format("stride {}", request.settings.stride) : "the protocol's own stride",
        human_bytes(plan.text_bytes));
    for (const auto& entry : plan.entries) {
        std::vector<std::string> missing, absent;
        std::size_t measurable = 0;
        for (const auto length : entry.missing()) missing.push_back(std::to_string(length));
        for (const auto& cell : entry.cells) {
            measurable += cell.absent.empty();
            if (!cell.absent.empty()) absent.push_back(std::to_string(cell.length));
        }
        text += fmt::format("{:<28} trained at {}: {} of {} lengths done", entry.name, entry.facts.config.train.length,
                            measurable - missing.size(), measurable);
        if (!missing.empty()) text += "; missing " + join(missing, " ");
        if (!absent.empty()) text += "; not measured " + join(absent, " ");
        text += "\n";
    }
    auto grid = as_grid(plan, request);
    if (request.meter && std::any_of(plan.entries.begin(), plan.entries.end(),
                                     [](const PublicEntry& entry) { return !entry.missing().empty(); })) {
        measure_costs(grid, request);
        if (grid.local_seconds >= 0) {
            text += fmt::format(
                "\non this machine about {}, {} at once, by passes timed just now and scaled by FLOPs; {} bytes a token are "
                "assumed, and reading and importing the models is not included\n",
                rounded_duration_text(grid.local_seconds), request.jobs, kAssumedBytes);
        }
        if (!grid.local_problem.empty()) text += "\non this machine: cannot be measured: " + grid.local_problem + "\n";
    }
    return text;
}

}  // namespace longbow
