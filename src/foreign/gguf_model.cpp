// Reads a GGUF file as a model. Which biases a model has is decided by the tensors of its first layer; all layers must
// then be alike.
#include <fmt/core.h>

#include <cstring>

#include "gguf_architecture.h"
#include "gguf_file.h"
#include "gguf_rules.h"
#include "gguf_settings.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/foreign_model.h"
#include "place_tensors.h"

namespace longbow {

namespace {

constexpr const char* kFrequencies = "rope_freqs.weight";

class Reader {
public:
    Reader(GgufFile file, const ForeignRequest& request) : file_(std::move(file)), request_(request) {}

    ForeignModel read();

private:
    [[nodiscard]] bool has(const std::string& name) const { return file_.store.tensors.contains(name); }
    // Returns the values of rope_freqs.weight, which is taken out of the store.
    std::vector<float> frequency_factors();
    void find_biases(ModelConfig& model) const;
    void find_block(ModelConfig& model) const;

    GgufFile file_;
    const ForeignRequest& request_;
    HfSettings settings_;
};

std::vector<float> Reader::frequency_factors() {
    const auto found = file_.store.tensors.find(kFrequencies);
    std::vector<float> factors;
    if (found == file_.store.tensors.end()) return factors;
    if (found->second.dtype != PickleDtype::f32)
        throw CheckpointError(file_.name + ": tensor " + kFrequencies + " is not of type F32");
    const auto values = found->second.read();
    factors.resize(values.bytes.size() / sizeof(float));
    if (!factors.empty()) std::memcpy(factors.data(), values.bytes.data(), values.bytes.size());
    file_.store.tensors.erase(found);
    return factors;
}

void Reader::find_biases(ModelConfig& model) const {
    const bool qkv = has("blk.0.attn_qkv.bias") || has("blk.0.attn_q.bias");
    const bool norm = has("blk.0.attn_norm.bias");
    set_linear_biases(model, qkv, has("blk.0.attn_output.bias"), has("blk.0.ffn_up.bias"),
                      model.norm == NormKind::layernorm && norm);
    model.head_bias = has("output.bias");
    // An output projection of its own may be the embedding in another type; where there is none it is the embedding.
    model.tie_output = !has("output.weight");
}

void Reader::find_block(ModelConfig& model) const {
    // Falcon 40B has two norms, of which the first is the feed-forward layer's.
    if (model.block == BlockKind::parallel_one_norm && has("blk.0.attn_norm_2.weight"))
        model.block = BlockKind::parallel;
}

ForeignModel Reader::read() {
    const GgufSettings metadata(file_);
    const auto name = metadata.architecture();
    const auto* architecture = gguf_architecture(name);
    if (architecture == nullptr) {
        throw CheckpointError(file_.name + ": general.architecture " + quote_foreign(name) +
                              " is not known; known are " + join(gguf_architectures(), ", "));
    }
    if (file_.integer("split.count").value_or(1) > 1)
        throw CheckpointError(file_.name +
                              ": it is one of several files of a model; join them (llama-gguf-split --merge)");
    settings_ = metadata.read(file_, *architecture, frequency_factors());
    auto& config = settings_.config;
    find_biases(config.model);
    find_block(config.model);
    const auto embedding = file_.store.tensors.find("token_embd.weight");
    if (embedding == file_.store.tensors.end() || embedding->second.shape.size() != 2)
        throw CheckpointError(file_.name + ": it has no token embedding (token_embd.weight)");
    const auto rows = embedding->second.shape[0];
    if (rows > kMostWords || (settings_.vocab_size != 0 && settings_.vocab_size != rows)) {
        throw CheckpointError(fmt::format("{}: token_embd.weight has {} rows, by the metadata {}", file_.name, rows,
                                          settings_.vocab_size));
    }
    settings_.vocab_size = rows;
    if (request_.train_length) settings_.length = request_.train_length;

    ForeignModel model;
    model.name = file_.name;
    model.type = name;
    model.label = architecture->label;
    model.format = file_.store.format;
    model.config = config;
    model.config.train.length = settings_.length.value_or(0);
    model.length_known = settings_.length.has_value();
    model.vocab_size = rows;
    model.begins_each_window = architecture->embedding_scaled;
    TensorPlacer placer(file_.store, model);
    // All layers must be as the first.
    placer.place(
        gguf_rules(settings_, {.fused = has("blk.0.attn_qkv.weight"), .two_norms = has("blk.0.attn_norm_2.weight")}));
    placer.finish();
    return model;
}

}  // namespace

ForeignModel model_of(GgufFile file, const ForeignRequest& request) { return Reader(std::move(file), request).read(); }

ForeignModel read_gguf_model(const ForeignRequest& request) { return model_of(GgufFile::open(request.path), request); }

}  // namespace longbow
