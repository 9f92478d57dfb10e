#include "longbow/probe/attention_probe.h"

#include <fmt/core.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "longbow/attention/attention_backend.h"
#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/autocast.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

constexpr std::uint64_t kWindows = 0x6174746e;

// Passes everything on to another back-end and keeps the probabilities of each call, one call a layer.
class Onlooker final : public AttentionBackend {
public:
    Onlooker(std::unique_ptr<AttentionBackend> backend, std::vector<at::Tensor>& seen)
        : backend_(std::move(backend)), seen_(seen) {}

    at::Tensor forward(const AttentionInput& input) override {
        // Values that are the rows of an identity matrix are weighed to the probabilities themselves.
        auto asking = input;
        const auto keys = input.k.size(2);
        const auto wide = input.v.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
        asking.v =
            torch::eye(keys, input.v.options().dtype(wide)).expand({input.k.size(0), input.k.size(1), keys, keys});
        seen_.push_back(backend_->forward(asking).squeeze(0).to(torch::kCPU));
        return backend_->forward(input);
    }
    [[nodiscard]] AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const override {
        return backend_->memory(request, pass);
    }

private:
    std::unique_ptr<AttentionBackend> backend_;
    std::vector<at::Tensor>& seen_;
};

// Returns the mean over queries [from, to) of a number a query, [heads, length].
std::vector<double> mean_over(const at::Tensor& numbers, std::int64_t from, std::int64_t to) {
    const auto heads = numbers.size(0);
    if (from >= to) return std::vector<double>(static_cast<std::size_t>(heads), NAN);
    const auto means = numbers.slice(1, from, to).to(torch::kDouble).mean(1).contiguous();
    return {means.const_data_ptr<double>(), means.const_data_ptr<double>() + heads};
}

// The means over windows of one member of the shapes, and their interval. Null where no window has a number.
void add_mean(Json& row, const char* key, const std::vector<AttentionShape>& shapes, double AttentionShape::*member) {
    std::vector<double> values;
    for (const auto& shape : shapes) values.push_back(shape.*member);
    const auto mean = mean_estimate({values}, std::vector<double>(values.size(), 1.0));
    row[key] = std::isfinite(mean.mean) ? Json(mean.mean) : Json(nullptr);
    row[std::string(key) + "_ci"] = interval_json(mean.interval);
}

constexpr std::pair<const char*, double AttentionShape::*> kNumbers[] = {
    {"entropy", &AttentionShape::entropy},
    {"entropy_beyond", &AttentionShape::entropy_beyond},
    {"sinks", &AttentionShape::sinks},
    {"near", &AttentionShape::near},
    {"far", &AttentionShape::far}};

}  // namespace

std::vector<AttentionShape> shapes_of(const at::Tensor& probabilities, std::int64_t train_length) {
    const auto length = probabilities.size(2);
    const auto keys = torch::arange(1, length + 1, torch::kDouble);
    const auto p = probabilities.to(torch::kDouble);
    // 0 ln 0 is 0. The first query has one key, whose ln n of 0 is left out below.
    const auto entropy = torch::xlogy(p, p).sum(-1).neg().div(keys.log());  // [heads, length]
    const auto trained = std::min(train_length, length);
    const auto within = mean_over(entropy, 1, trained),
               beyond = mean_over(entropy, std::max<std::int64_t>(1, trained), length);
    const auto sinks = mean_over(p.slice(2, 0, kSinkKeys).sum(-1), kSinkKeys, length);
    const auto near = mean_over(p.sum(-1).sub(p.tril(-kNearKeys).sum(-1)), kNearKeys, length);
    const auto far = mean_over(p.tril(-train_length).sum(-1), train_length, length);
    std::vector<AttentionShape> shapes;
    for (std::size_t head = 0; head < within.size(); ++head)
        shapes.push_back({within[head], beyond[head], sinks[head], near[head], far[head]});
    return shapes;
}

std::vector<at::Tensor> attention_of(LanguageModel& model, const std::vector<std::int64_t>& tokens) {
    const auto& config = model.config();
    for (std::int64_t layer = 0; layer < config.model.layers; ++layer) {
        if (!model.position().attends(layer)) continue;
        throw UsageError("position method " + config.position.method_names() +
                         " computes attention itself, so that its probabilities cannot be looked at");
    }
    const torch::NoGradGuard no_grad;
    const auto weights = model.parameters().front();
    const auto dtype = weights.scalar_type() == torch::kDouble ? DType::fp64 : DType::fp32;
    auto request = attention_request(config, model.position(), dtype, weights.device().str());
    request.options.clear();
    std::vector<at::Tensor> seen;
    auto own = model.use_attention(std::make_unique<Onlooker>(make_attention_backend("reference", request), seen));
    model.hidden(torch::tensor(tokens, torch::kLong).unsqueeze(0));
    model.use_attention(std::move(own));
    return seen;
}

std::int64_t attention_length(const MeasuredRun& run, const TokenStream& stream, std::int64_t length) {
    const auto trained = run.checkpoint.config.train.length;
    if (trained == 0) {
        throw UsageError(
            run.name + ": its trained length is unknown (train.length: 0), and the probe measures what lies beyond it");
    }
    if (length == 0) {
        length = 2 * trained;
        if (run.max_length > 0) length = std::min(length, run.max_length);
    }
    check_length(run.checkpoint.config, run.max_length, length);
    if (stream.size() < length) {
        throw UsageError(fmt::format("the text has {} tokens, fewer than a window of --length {}",
                                     with_commas(stream.size()), length));
    }
    return length;
}

std::vector<Json> probe_attention(MeasuredRun& run, LanguageModel& model, const TokenStream& stream,
                                  std::int64_t length, const ProbeOptions& options) {
    length = attention_length(run, stream, length);
    const AutocastScope autocast(model.parameters().front().device().type(), scalar_type(run.dtype));
    const auto& config = run.checkpoint.config;
    std::vector<std::vector<std::vector<AttentionShape>>> shapes(static_cast<std::size_t>(config.model.layers));
    for (auto& layer : shapes) layer.resize(static_cast<std::size_t>(config.model.heads));
    std::vector<std::int64_t> tokens(static_cast<std::size_t>(length));
    for (std::int64_t item = 0; item < options.items; ++item) {
        if (stop_requested()) throw InterruptedError("stopped by " + std::string(stop_signal_name()));
        Random random(seed_of(kWindows, options.seed, item));
        const auto begin = random.below(static_cast<std::uint64_t>(stream.size() - length + 1));
        stream.read(static_cast<std::int64_t>(begin), length, tokens.data());
        const auto layers = attention_of(model, tokens);
        for (std::size_t layer = 0; layer < layers.size(); ++layer) {
            const auto heads = shapes_of(layers[layer], config.train.length);
            for (std::size_t head = 0; head < heads.size(); ++head) shapes[layer][head].push_back(heads[head]);
        }
    }
    std::vector<Json> rows;
    for (std::size_t layer = 0; layer < shapes.size(); ++layer) {
        for (std::size_t head = 0; head < shapes[layer].size(); ++head) {
            auto row = probe_row("attention", run, options, kAttentionGenerator);
            row["data"] = stream.fingerprint();
            row["items"] = options.items;
            row["length"] = length;
            row["layer"] = layer;
            row["head"] = head;
            for (const auto& [key, member] : kNumbers) add_mean(row, key, shapes[layer][head], member);
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::string attention_table(const std::vector<Json>& rows, int width) {
    const auto& first = rows.front();
    std::vector<TableColumn> table{{"layer", 0, {}},   {"head", 0, {}},    {"entropy", 0, {}},   {"beyond", 0, {}},
                                   {"first 4", 0, {}}, {"last 64", 0, {}}, {"beyond L_t", 0, {}}};
    for (const auto& row : rows) {
        std::vector<std::string> cells{std::to_string(row["layer"].get<int>()), std::to_string(row["head"].get<int>())};
        for (const auto& [key, member] : kNumbers)
            cells.push_back(row[key].is_null() ? "-" : fmt::format("{:.3f}", row[key].get<double>()));
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    return wrapped(fmt::format("{}: position {}, trained at length {}, update {}; {} windows of {} tokens, seed {}, "
                               "generator version {}; probes.jsonl has the intervals",
                               printable(first["name"].get<std::string>()), first["position"].get<std::string>(),
                               first["train_length"].get<std::int64_t>(), first["updates"].get<std::int64_t>(),
                               first["items"].get<std::int64_t>(), first["length"].get<std::int64_t>(),
                               first["seed"].get<std::uint64_t>(), first["generator"].get<int>()),
                   width) +
           "\n\n" + aligned_table(table, width);
}

}  // namespace longbow
