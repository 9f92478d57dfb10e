// Computes the model's memory: the sizes that all parts share, and the sum of the parts.
#include "longbow/model/memory.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "block.h"
#include "embedding.h"
#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/language_model.h"
#include "longbow/model/linear.h"
#include "longbow/position/attend_memory.h"
#include "norm.h"
#include "projection.h"

namespace longbow {

namespace {

// The method itself is tried, so that a method of the user's own is counted like the others.
bool rotates(PositionMethod& position, const ModelConfig& model) {
    PositionCall call;
    call.evaluated_length = 1;
    call.positions = at::zeros({1}, at::kLong);
    call.x = at::zeros({1, 1, model.dim});
    call.q = at::zeros({1, model.heads, 1, model.head_size()});
    call.k = at::zeros({1, model.key_value_heads(), 1, model.head_size()});
    for (call.layer = 0; call.layer < model.layers; ++call.layer) {
        if (!position.rotate(call).q.is_same(call.q)) return true;
    }
    return false;
}

// Returns the most columns that a layer's learned table has in a window of this length.
std::int64_t table_columns(PositionMethod& position, std::int64_t layers, std::int64_t length) {
    std::int64_t columns = 0;
    PositionCall call;
    call.evaluated_length = call.keys = length;
    for (call.layer = 0; call.layer < layers; ++call.layer) {
        if (!position.parts_from_data(call.layer).empty()) continue;
        if (call.layer > 0 && position.bias_as_before(call.layer)) continue;
        const auto table = position.bias(call).table;
        if (table.defined() && table.requires_grad()) columns = std::max(columns, table.size(1));
    }
    return columns;
}

// Adds what methods that compute attention themselves have beside scores and probabilities: of several, the most.
void add_attend_memory(const PositionMethod& position, const AttendPass& pass, AttentionMemory& memory) {
    AttendMemory most;
    for (const auto& module : position.modules()) {
        const auto* counts = dynamic_cast<const CountsAttendMemory*>(module.get());
        if (counts == nullptr) continue;
        const auto one = counts->attend_memory(pass);
        most.kept = std::max(most.kept, one.kept);
        most.backward = std::max(most.backward, one.backward);
        most.evaluation = std::max(most.evaluation, one.evaluation);
    }
    memory.kept += most.kept;
    memory.backward += most.backward;
    memory.evaluation += most.evaluation;
}

double weight_bytes(const torch::nn::Module& module, double bytes) {
    double numbers = 0;
    for (const auto& parameter : module.parameters()) numbers += static_cast<double>(parameter.numel());
    return numbers * bytes;
}

}  // namespace

ModelMemory LanguageModel::memory(const PassRequest& request) const {
    const auto& model = config_.model;
    const auto dtype = config_.train.dtype;
    PassSizes pass;
    pass.tokens = static_cast<double>(request.batch * request.length);
    pass.wide = dtype == DType::fp64 ? 8 : 4;
    pass.half = dtype == DType::bf16 || dtype == DType::fp16;
    pass.narrow = pass.half ? 2 : pass.wide;
    pass.cuda = starts_with(request.device, "cuda");
    pass.onednn = !pass.cuda && dtype == DType::fp32 && gemm_library_by_rule() == GemmLibrary::onednn;
    pass.threads = request.threads;
    {
        const at::NoGradGuard as_in_an_evaluation;
        pass.widened = pass.half && widens_products(scalar_type(dtype), pass.cuda ? at::kCUDA : at::kCPU);
    }
    pass.rotates = rotates(*position_, model);
    pass.gradients_stay = request.gradients_stay;
    const auto attention = attention_request(config_, *position_, dtype, request.device);
    const auto backend = make_attention_backend(config_.attention.backend, attention);
    const auto table_length = table_columns(*position_, model.layers, request.length);
    pass.attention = backend->memory(attention, {scalar_type(dtype), request.batch, model.heads, request.length,
                                                 model.key_value_heads(), table_length, request.threads});

    if (attention.attends) {
        add_attend_memory(
            *position_,
            {request.batch, model.heads, request.length, model.head_size(), pass.wide, model.attention_dropout > 0},
            pass.attention);
    }

    ModelMemory memory;
    memory.attention = backend->name();
    memory.wide = pass.wide;
    memory.weights = weight_bytes(*this, pass.wide);
    for (const auto& parameter : parameters())
        memory.largest_weight = std::max(memory.largest_weight, static_cast<double>(parameter.numel()) * pass.wide);
    memory.layer_weights = weight_bytes(*blocks_.front(), pass.wide);
    memory.stream = pass.tokens * static_cast<double>(model.dim) * pass.wide;
    if (final_norm_ != nullptr) {
        memory.final_norm_weights = weight_bytes(*final_norm_, pass.wide);
        memory.final_norm_input = memory.stream;
    }
    memory.masks = pass.attention.masks;
    memory.embedding = embedding_->memory(pass);
    const double tokens_of_embedding = pass.tokens * static_cast<double>(model.token_dim());
    if (embedding_norm_ != nullptr) {
        memory.embedding.kept = tokens_of_embedding * pass.wide + embedding_norm_->memory(pass).kept;
    } else if (project_in_ != nullptr) {
        memory.embedding.kept = tokens_of_embedding * pass.narrow;
    }
    memory.layer = blocks_.front()->memory(pass);
    memory.head = head_->memory(pass);
    // Besides a layer there are the embedded tokens and its input; besides the losses, the hidden states.
    memory.evaluation = std::max(2 * memory.stream + memory.layer.evaluation, memory.stream + memory.head.evaluation);
    return memory;
}

}  // namespace longbow
