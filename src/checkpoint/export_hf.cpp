#include <algorithm>
#include <set>

#include "export_weights.h"
#include "hf_custom_code.h"
#include "import_parts.h"
#include "import_source.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/export.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/hf_export.h"
#include "longbow/text/hf_files.h"
#include "manifest.h"

namespace longbow {

namespace {

constexpr const char* kConfigFile = "config.json";
constexpr std::int64_t kNoLimit = std::int64_t{1} << 30;  // of a tokenizer, where the model has none

void write_text(const fs::path& path, const std::string& text) {
    OutputFile file(path);
    file.write(text);
    file.close();
}

// As torch calls a type: "bfloat16".
std::string torch_name(at::ScalarType type) {
    switch (type) {
        case at::kDouble: return "float64";
        case at::kHalf: return "float16";
        case at::kBFloat16: return "bfloat16";
        default: return "float32";
    }
}

// Whether a type is the one that a container of an imported model calls `name`: "F32", "float32".
bool is_named(at::ScalarType type, const std::string& name) {
    return name == safetensors_dtype_name(type) || torch_name(type).starts_with(name) ||
           name.starts_with(torch_name(type));
}

class Exporter {
public:
    explicit Exporter(const HfExportRequest& request)
        : request_(request),
          checkpoint_(open_checkpoint(request.checkpoint)),
          weights_(read_safetensors(request.checkpoint / kModelFile).tensors,
                   (request.checkpoint / kModelFile).string()) {
        if (request.dtype) weights_.type = weights_type(*request.dtype);
    }

    // Plans everything before anything is written.
    void plan() {
        const auto& folder = request_.checkpoint;
        const bool imported = fs::exists(folder / kSourceFile) && fs::exists(kept(kConfigFile));
        if (request_.custom_code) {
            plan_own_class();
        } else if (imported) {
            plan_as_imported();
        } else {
            plan_class();
        }
        report_.tensors = static_cast<std::int64_t>(tensors_.size());
        for (const auto& [_, tensor] : weights_.weights()) report_.parameters += tensor.numel();
        std::set<std::string> types;
        for (const auto& tensor : tensors_) types.insert(safetensors_dtype_name(weights_.type_of(tensor)));
        report_.types = join({types.begin(), types.end()}, ", ");
    }

    HfExportReport write(const fs::path& folder) {
        for (const auto& [name, text] : files_) write_text(folder / name, text);
        weights_.write(folder / kModelFile, tensors_);
        report_.files.emplace_back(kModelFile);
        for (const auto& [name, _] : files_) report_.files.push_back(name);
        std::sort(report_.files.begin(), report_.files.end());
        return report_;
    }

private:
    [[nodiscard]] fs::path kept(const std::string& name) const { return request_.checkpoint / (kSourcePrefix + name); }

    [[nodiscard]] HfExportModel model() const {
        return {checkpoint_.config, checkpoint_.manifest["vocab_size"].get<std::int64_t>(),
                static_cast<std::int64_t>(checkpoint_.tokenizer->boundary())};
    }

    // The type in both of its keys: transformers renamed the older one.
    void add_config(Json config) {
        config["torch_dtype"] = config["dtype"] = torch_name(weights_.type_of(tensors_.front()));
        files_[kConfigFile] = json_text(config, 2) + "\n";
    }

    void plan_class() {
        auto plan = plan_hf_export(model(), request_.checkpoint.string());
        report_.class_name = plan.class_name;
        report_.notes = std::move(plan.notes);
        tensors_ = std::move(plan.tensors);
        weights_.changes = std::move(plan.changes);
        weights_.constants = std::move(plan.constants);
        add_config(std::move(plan.config));
        add_tokenizer();
    }

    void plan_own_class() {
        for (const auto& [name, tensor] : weights_.weights()) {
            const auto count = tensor.numel();
            tensors_.push_back({name, tensor.sizes().vec(), {{name, 0, {count}, {1}}}});
        }
        auto config = custom_code_config(model(), config_json(checkpoint_.config, registered_config_context()),
                                         request_.checkpoint.string());
        report_.class_name = config["architectures"][0].get<std::string>();
        add_config(std::move(config));
        files_["configuration_longbow.py"] = hf_configuration_source();
        files_["positions_longbow.py"] = hf_positions_source();
        files_["modeling_longbow.py"] = hf_modeling_source();
        report_.notes.emplace_back("transformers loads it with trust_remote_code=True");
        add_tokenizer();
    }

    void plan_as_imported() {
        auto source = read_source(request_.checkpoint);
        tensors_ = std::move(source.tensors);
        report_.as_imported = true;
        for (const auto& entry : fs::directory_iterator(request_.checkpoint)) {
            const auto name = entry.path().filename().string();
            if (name.starts_with(kSourcePrefix) && name != kSourceFile)
                files_[name.substr(std::string_view(kSourcePrefix).size())] = read_file(entry.path());
        }
        auto config = parse_json(files_.at(kConfigFile));
        report_.class_name = config.contains("architectures") && config["architectures"].is_array() &&
                                     !config["architectures"].empty() && config["architectures"][0].is_string()
                                 ? config["architectures"][0].get<std::string>()
                                 : source.type;
        const bool same_types = std::all_of(tensors_.begin(), tensors_.end(), [&](const ExportedTensor& tensor) {
            return is_named(weights_.type_of(tensor), source.types.at(tensor.name));
        });
        if (!same_types) {
            for (const char* key : {"torch_dtype", "dtype"}) {
                if (config.contains(key)) config[key] = torch_name(weights_.type_of(tensors_.front()));
            }
            files_[kConfigFile] = json_text(config, 2) + "\n";
            report_.notes.emplace_back("the weights' type is not that of the imported files");
        }
        // Of the tokenizer's own files those that transformers knows.
        const auto own = checkpoint_.tokenizer->files();
        for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
            if (own.contains(name) && !files_.contains(name)) files_[name] = own.at(name);
        }
    }

    void add_tokenizer() {
        const auto limit = checkpoint_.config.train.length;
        auto tokenizer = hf_tokenizer_files(*checkpoint_.tokenizer, limit > 0 ? limit : kNoLimit);
        for (auto& [name, text] : tokenizer.files) files_[name] = std::move(text);
        for (auto& note : tokenizer.notes) report_.notes.push_back("tokenizer.json: " + note);
        if (!tokenizer.reason.empty()) report_.notes.push_back("no tokenizer: " + tokenizer.reason);
    }

    const HfExportRequest& request_;
    LoadedCheckpoint checkpoint_;
    ExportedWeights weights_;
    std::vector<ExportedTensor> tensors_;
    std::map<std::string, std::string> files_;
    HfExportReport report_;
};

}  // namespace

HfExportReport export_hf(const HfExportRequest& request) {
    check_import_place(request.out);
    Exporter exporter(request);
    exporter.plan();
    const auto out = follow_links(request.out);
    make_output_folder(out.has_parent_path() ? out.parent_path() : fs::path("."));
    DirectoryTransaction transaction(out, /*replace=*/fs::exists(out));
    auto report = exporter.write(transaction.path());
    for (const auto& entry : fs::directory_iterator(transaction.path())) sync_path(entry.path());
    transaction.commit();
    return report;
}

}  // namespace longbow
