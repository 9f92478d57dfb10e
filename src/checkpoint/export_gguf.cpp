#include <algorithm>
#include <functional>
#include <set>

#include "export_weights.h"
#include "import_source.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/export.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/foreign/gguf_export.h"
#include "longbow/text/hf_files.h"
#include "manifest.h"

namespace longbow {

namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 20;  // elements that are converted together: whole blocks
constexpr std::int64_t kNoLimit = std::int64_t{1} << 30;
constexpr std::int64_t kQuantizationVersion = 2;  // of ggml's blocks
constexpr const char* kTokenizerFile = "tokenizer.json";

using Sink = std::function<void(std::string_view bytes)>;

GgufWeights matching(at::ScalarType type) {
    switch (type) {
        case at::kHalf: return GgufWeights::fp16;
        case at::kBFloat16: return GgufWeights::bf16;
        default: return GgufWeights::fp32;
    }
}

class Exporter {
public:
    explicit Exporter(const GgufFileRequest& request)
        : request_(request),
          checkpoint_(open_checkpoint(request.checkpoint)),
          weights_(read_safetensors(request.checkpoint / kModelFile).tensors,
                   (request.checkpoint / kModelFile).string()) {}

    // Plans everything before anything is written.
    void plan() {
        const HfExportModel model{checkpoint_.config, checkpoint_.manifest["vocab_size"].get<std::int64_t>(),
                                  static_cast<std::int64_t>(checkpoint_.tokenizer->boundary())};
        GgufExportRequest wanted{request_.architecture, ""};
        if (has(kSourceFile)) wanted.imported_as = read_source(request_.checkpoint).type;
        plan_ = plan_gguf_export(model, wanted, request_.checkpoint.string());
        weights_.changes = plan_.changes;
        weights_.constants = plan_.constants;
        check_places();
        find_types();
        make_head(model.vocab_size);
        report_.architecture = plan_.architecture;
        report_.notes.insert(report_.notes.begin(), plan_.notes.begin(), plan_.notes.end());
        report_.tensors = static_cast<std::int64_t>(entries_.size());
        for (const auto& [_, tensor] : weights_.weights()) report_.parameters += tensor.numel();
    }

    GgufFileReport write(const Sink& sink) {
        sink(head_);
        std::uint64_t position = 0;
        const std::string zeros(kGgufAlignment, '\0');
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            throw_if_stop_requested("the file was not written");
            sink(std::string_view(zeros).substr(0, static_cast<std::size_t>(entries_[i].begin - position)));
            position = entries_[i].begin + write_tensor(plan_.tensors[i], entries_[i], sink);
        }
        const auto rest = (kGgufAlignment - position % kGgufAlignment) % kGgufAlignment;
        sink(std::string_view(zeros).substr(0, static_cast<std::size_t>(rest)));
        report_.bytes = head_.size() + position + rest;
        return report_;
    }

private:
    [[nodiscard]] bool has(const char* name) const { return fs::exists(request_.checkpoint / name); }

    void check_places() const {
        std::vector<ExportedTensor> of_weights;
        for (const auto& tensor : plan_.tensors) {
            if (!plan_.given.contains(tensor.name)) of_weights.push_back(tensor);
        }
        weights_.check(of_weights);
    }

    void find_types() {
        const auto own = weights_.type_of(plan_.tensors.front());
        wanted_ = request_.weights.value_or(matching(own));
        if (own == at::kDouble) report_.notes.emplace_back("the weights, which are fp64, are rounded");
        weights_.type = at::kFloat;  // each type of a file is made from this one
        std::set<std::string> types;
        bool narrow = false;
        for (const auto& tensor : plan_.tensors) {
            const auto type = gguf_weights_of(tensor.name, tensor.shape, wanted_);
            narrow = narrow || (wanted_ == GgufWeights::q8_0 && type == GgufWeights::fp16);
            types.emplace(gguf_type_label(type));
            entries_.push_back({tensor.name, tensor.shape, type, 0});
        }
        if (narrow) report_.notes.emplace_back("rows that are no blocks of 32 elements are F16 instead of Q8_0");
        report_.types = join({types.begin(), types.end()}, ", ");
    }

    void make_head(std::int64_t rows) {
        GgufMetadata metadata;
        metadata.text("general.architecture", plan_.architecture);
        metadata.text("general.type", "model");
        if (!request_.name.empty()) metadata.text("general.name", request_.name);
        if (has(kSourceMetadata)) {
            kept_ = read_gguf_metadata(request_.checkpoint / kSourceMetadata);
            add_kept(
                metadata, "general.",
                {"general.architecture", "general.file_type", "general.quantization_version", "general.alignment"});
        }
        metadata.add(plan_.metadata);
        metadata.count("general.file_type", gguf_file_type(wanted_));
        metadata.count("general.quantization_version", kQuantizationVersion);
        add_tokenizer(metadata, rows);
        head_ = gguf_head(metadata, entries_);
    }

    void add_kept(GgufMetadata& metadata, std::string_view prefix, const std::set<std::string>& but = {}) const {
        for (const auto& [key, value] : kept_.entries()) {
            if (key.starts_with(prefix) && !but.contains(key)) metadata.raw(key, value);
        }
    }

    void add_tokenizer(GgufMetadata& metadata, std::int64_t rows) {
        const auto files = hf_tokenizer_files(*checkpoint_.tokenizer, kNoLimit);
        const auto json = files.files.find(kTokenizerFile);
        if (json != files.files.end() && is_as_imported(json->second)) {
            add_kept(metadata, "tokenizer.");
            report_.tokenizer = "as it was imported";
            return;
        }
        auto tokenizer =
            json == files.files.end() ? without_gguf_tokenizer(files.reason) : gguf_tokenizer(json->second, ids(rows));
        metadata.add(tokenizer.metadata);
        if (!tokenizer.reason.empty()) {
            report_.notes.push_back("no tokenizer: " + tokenizer.reason);
            return;
        }
        report_.tokenizer = tokenizer.name;
        for (const auto& note : tokenizer.notes) report_.notes.push_back("tokenizer: " + note);
        if (!files.notes.empty())  // none for a tokenizer.json as it is
            report_.notes.emplace_back(
                "tokenizer: the text of a special token in a document is text in longbow, and may "
                "be the token there");
    }

    // Whether the tokenizer is still that of the imported file.
    [[nodiscard]] bool is_as_imported(const std::string& json) const {
        if (!kept_.has("tokenizer.ggml.model")) return false;
        try {
            return read_gguf_tokenizer(request_.checkpoint / kSourceMetadata) == json;
        } catch (const CheckpointError&) {
            return false;  // another one was given at the import, since this one is not known
        }
    }

    [[nodiscard]] GgufTokenizerIds ids(std::int64_t rows) const {
        const auto& tokenizer = *checkpoint_.tokenizer;
        const auto prefix = tokenizer.special_prefix();
        const auto boundary = static_cast<std::int64_t>(tokenizer.boundary());
        GgufTokenizerIds ids{rows, boundary, boundary, !prefix.empty()};
        ids.bos =
            prefix.empty() ? imported_id("bos_token_id").value_or(boundary) : static_cast<std::int64_t>(prefix.front());
        ids.eos = imported_id("eos_token_id").value_or(boundary);
        return ids;
    }

    // What config.json of the imported folder says, which may be a list.
    [[nodiscard]] std::optional<std::int64_t> imported_id(const char* key) const {
        const auto path = request_.checkpoint / (kSourcePrefix + std::string("config.json"));
        if (!fs::exists(path)) return std::nullopt;
        const auto config = parse_json(read_file(path));
        if (!config.is_object() || !config.contains(key)) return std::nullopt;
        const auto& value = config[key];
        const auto& one = value.is_array() && !value.empty() ? value[0] : value;
        if (!one.is_number_integer()) return std::nullopt;
        const auto id = one.get<std::int64_t>();
        return id >= 0 && id < checkpoint_.tokenizer->vocab_size() ? std::optional(id) : std::nullopt;
    }

    std::uint64_t write_tensor(const ExportedTensor& tensor, const GgufTensorEntry& entry, const Sink& sink) const {
        const auto given = plan_.given.find(tensor.name);
        const auto values = given == plan_.given.end() ? weights_.filled(tensor) : at::Tensor();
        const std::span<const float> all =
            given == plan_.given.end()
                ? std::span(values.const_data_ptr<float>(), static_cast<std::size_t>(values.numel()))
                : std::span<const float>(given->second);
        std::uint64_t written = 0;
        std::string bytes;
        for (std::size_t begin = 0; begin < all.size(); begin += kPiece) {
            bytes.clear();
            const auto piece = all.subspan(begin, std::min<std::size_t>(kPiece, all.size() - begin));
            if (!append_gguf_values(entry.weights, piece, bytes))
                throw CheckpointError(request_.checkpoint.string() + ": " + tensor.name +
                                      " has values that are not finite, or too large for " +
                                      std::string(gguf_type_label(entry.weights)) + ": take --dtype bf16 or fp32");
            sink(bytes);
            written += bytes.size();
        }
        return written;
    }

    const GgufFileRequest& request_;
    LoadedCheckpoint checkpoint_;
    ExportedWeights weights_;
    GgufExport plan_;
    GgufMetadata kept_;  // of the imported file
    GgufWeights wanted_ = GgufWeights::fp32;
    std::vector<GgufTensorEntry> entries_;
    std::string head_;
    GgufFileReport report_;
};

}  // namespace

GgufFileReport export_gguf(const GgufFileRequest& request) {
    const auto place = find_output(request.out);
    std::error_code error;
    if (!place.stream && fs::exists(place.path, error))
        throw UsageError("--out " + request.out.string() + ": already exists; name a new file");
    Exporter exporter(request);
    exporter.plan();
    const StopHandlersScope handlers;
    if (place.stream) {
        OutputStream stream(place);
        return exporter.write([&](std::string_view bytes) { stream.write(bytes); });
    }
    GgufFileReport report;
    write_file_atomic_by(request.out, [&](const fs::path& path) {
        OutputFile file(path);
        report = exporter.write([&](std::string_view bytes) { file.write(bytes); });
        file.close();
    });
    return report;
}

}  // namespace longbow
