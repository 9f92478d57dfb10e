#include "memory_plan.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "longbow/attention/fused_attention.h"
#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/language_model.h"
#include "longbow/model/linear.h"
#include "longbow/optim/optimizer.h"
#include "memory_layer.h"
#include "session.h"

namespace longbow {

namespace {

constexpr const char* kCopy = "copy for the checkpoint being written";
constexpr double kCublasWorkspace = 32 << 20;  // the largest of ATen's defaults, from its caching allocator

// The account of one moment.
struct Account {
    std::string moment;
    std::vector<MemoryTerm> terms;

    void add(const char* name, double bytes) {
        if (bytes > 0) terms.push_back({name, bytes});
    }
    [[nodiscard]] double total() const {
        double sum = 0;
        for (const auto& term : terms) sum += term.bytes;
        return sum;
    }
};

// Inputs of a rank's micro-batch, and micro-batches (update_share.cpp).
std::pair<std::int64_t, std::int64_t> share_of_rank(const TrainConfig& train, std::int64_t ranks) {
    if (train.accumulate % ranks == 0) return {train.batch, train.accumulate / ranks};
    const auto inputs = (train.batch * train.accumulate + ranks - 1) / ranks;
    return {std::min(train.batch, inputs), (inputs + train.batch - 1) / train.batch};
}

class Planner {
public:
    Planner(const Config& config, std::int64_t vocab_size, const MemoryRequest& request)
        : config_(config), request_(request), sizes_(model_sizes(config, vocab_size)) {
        const auto dtype = config.train.dtype;
        const auto position = make_position_method(config.position.method, position_context(config));
        const auto bias = position->bias(0);
        pass_.wide = dtype == DType::fp64 ? 8 : 4;
        pass_.half = dtype == DType::bf16 || dtype == DType::fp16;
        pass_.narrow = pass_.half ? 2 : pass_.wide;
        pass_.cuda = starts_with(request.device, "cuda");
        pass_.threads = request.threads;
        pass_.onednn = !pass_.cuda && dtype == DType::fp32 && gemm_library_by_rule() == GemmLibrary::onednn;
        const auto query = at::zeros({1, config.model.heads, 1, config.model.dim / config.model.heads});
        pass_.rotary = !position->rotate(query, query, at::zeros({1}, at::kLong)).first.is_same(query);
        pass_.bias = bias.kind != BiasSpec::Kind::none;
        pass_.table_grad = bias.table.defined() && bias.table.requires_grad();
        pass_.attention =
            make_attention_backend(config.attention.backend, attention_request(config, *position, dtype, request.device))->name();
        table_length_ = bias.table.defined() ? bias.table.size(1) : 0;
        const auto share = share_of_rank(config.train, request.ranks);
        pass_ = window(static_cast<double>(config.train.length), static_cast<double>(share.first));
        held_ = share.second > 1 || request.ranks > 1;
        recompute_ = config.train.recompute == Recompute::layer;
        sharded_ = config.dist.shard_optimizer && request.ranks > 1;
        // Checkpoints are written while training goes on, if any are written before its end.
        background_ = config.checkpoint.every.value > 0 || (request.valid_tokens > 0 && config.eval.every.value > 0);
    }

    MemoryPlan plan() const {
        std::vector<Account> moments = {output_head(),     head_backward(),      layer_backward(config_.model.layers - 1),
                                        layer_backward(0), embedding_backward(), after_update(),
                                        weights_shared()};
        if (request_.valid_tokens > 0) {
            for (const auto length : validation_lengths(config_)) moments.push_back(validation(length));
        }
        const auto most =
            std::max_element(moments.begin(), moments.end(), [](const Account& a, const Account& b) { return a.total() < b.total(); });
        return {most->moment, most->terms, most->total(), snapshot(), pass_.attention};
    }

private:
    // The sizes of a forward pass over `batch` windows of `length`.
    [[nodiscard]] PassSizes window(double length, double batch) const {
        auto pass = pass_;
        pass.length = length;
        pass.batch = batch;
        pass.tokens = length * batch;
        if (!pass.cuda && pass.attention == "fused") {
            const auto& model = config_.model;
            pass.workspace = static_cast<double>(fused_attention_workspace(
                scalar_type(config_.train.dtype), static_cast<std::int64_t>(batch), model.heads, static_cast<std::int64_t>(length),
                model.dim / model.heads, pass.table_grad ? table_length_ : 0, request_.threads));
        }
        return pass;
    }

    [[nodiscard]] double bytes(std::int64_t numbers) const { return static_cast<double>(numbers) * pass_.wide; }
    [[nodiscard]] double stream() const { return pass_.tokens * static_cast<double>(config_.model.dim) * pass_.wide; }
    [[nodiscard]] double slots() const { return static_cast<double>(optimizer_slots(config_.optim).size()); }
    [[nodiscard]] double optimizer_state() const {
        return slots() * bytes(sizes_.total) / (sharded_ ? static_cast<double>(request_.ranks) : 1.0);
    }
    [[nodiscard]] double snapshot() const { return bytes(sizes_.total) + optimizer_state(); }  // rank 0's: save.cpp

    // What travels between the ranks, beside the buckets (gradient_hooks.cpp). Gradients in another type, and buckets that the ranks cannot share
    // evenly, are copied; each rank's sums wait for the end of the backward pass.
    [[nodiscard]] double travelling() const {
        if (request_.ranks == 1) return 0;
        const bool full = config_.dist.reduce_dtype == ReduceDType::full;
        const double copy = static_cast<double>(sizes_.total) * (full ? pass_.wide : 2);
        if (!sharded_) return full ? 0 : copy;
        return copy / request_.ranks + (full && divides_evenly() ? 0 : copy);
    }
    [[nodiscard]] bool divides_evenly() const {
        const auto& model = config_.model;
        bool even = model.dim % request_.ranks == 0 && model.ffn_dim % request_.ranks == 0 && sizes_.position % request_.ranks == 0;
        for (const auto& band : sizes_.bands) even = even && (model.tie_output ? band.rows : band.words) * band.dim % request_.ranks == 0;
        return even;
    }

    // What is there at every moment. Weights: language_model.cpp; state: optimizer.cpp; tables: what position methods and attention keep.
    [[nodiscard]] Account begin(std::string moment) const {
        Account account{std::move(moment), {}};
        account.add("weights", bytes(sizes_.total));
        account.add(sharded_ ? "optimizer state, this rank's share" : "optimizer state", optimizer_state());
        account.add("attention's masks", attention_mask(config_.model, pass_));
        if (!pass_.cuda && background_) account.add(kCopy, snapshot());
        if (pass_.cuda) account.add("cuBLAS' workspace", kCublasWorkspace);
        return account;
    }

    // Gradients at a moment of the backward pass in which only those of `made` parameters would be there without accumulation. Accumulated ones
    // are all there from the second micro-batch on; so are Reducer's buckets, which the gradients are views of (one flat copy, not two).
    // A tied matrix has two parts: the head's waits for the embedding's, beside what has been accumulated.
    void add_gradients(Account& account, double made, double pending) const {
        account.add("gradients", held_ ? bytes(sizes_.total) + pending : made);
    }
    void add_travelling(Account& account) const { account.add("gradients on their way between ranks", travelling()); }

    // What the layers before `layers` have kept, and the batch.
    void add_kept(Account& account, std::int64_t layers) const {
        const auto layer = layer_memory(config_.model, pass_, !held_ || recompute_);
        const auto count = static_cast<double>(layers);
        account.add(recompute_ ? "layers' inputs" : "activations", count * (recompute_ ? layer.input : layer.kept));
        if (!recompute_) account.add("weights in half precision", count * layer.copies);
        account.add("token ids", 2 * pass_.tokens * 8);
    }

    [[nodiscard]] double final_norm_kept() const { return config_.model.final_norm ? stream() : 0; }  // its input, the last layer's output

    [[nodiscard]] Account output_head() const {
        auto account = begin("in the output head");
        add_gradients(account, 0, 0);
        add_kept(account, config_.model.layers);
        account.add("hidden states", stream() + final_norm_kept());
        account.add("output head", head_memory(config_, sizes_, pass_).loss);
        return account;
    }

    // From the loss to the last layer's output. The hidden states have gone with the loss's scope.
    [[nodiscard]] Account head_backward() const {
        const auto head = head_memory(config_, sizes_, pass_);
        auto account = begin("in the backward pass of the output head");
        add_gradients(account, 0, 0);
        add_kept(account, config_.model.layers);
        account.add("hidden states", final_norm_kept());
        account.add("output head", head.handed_on + head.hidden_gradient + (config_.model.final_norm ? stream() : 0));
        return account;
    }

    // Layers are counted from 0; those behind this one have their gradients.
    [[nodiscard]] Account layer_backward(std::int64_t index) const {
        const auto head = head_memory(config_, sizes_, pass_);
        const auto layer = layer_memory(config_.model, pass_, !held_ || recompute_);
        auto account = begin(strprintf("in the backward pass of layer %lld of %lld", static_cast<long long>(index + 1),
                                       static_cast<long long>(config_.model.layers)));
        const auto behind = config_.model.layers - 1 - index;
        add_gradients(account, head.weight_gradients + bytes(sizes_.final_norm + behind * sizes_.layer),
                      config_.model.tie_output ? head.weight_gradients : 0);
        add_kept(account, index);
        if (index == 0) add_travelling(account);
        account.add("this layer", layer.backward + (recompute_ ? stream() : 0));  // recomputed: its output comes out once more
        return account;
    }

    // The embedding's gradient is a whole table; that of a tied output is then added to it.
    [[nodiscard]] Account embedding_backward() const {
        const auto head = head_memory(config_, sizes_, pass_);
        double largest = 0;
        for (const auto& band : sizes_.bands)
            largest = std::max(largest, static_cast<double>((config_.model.tie_output ? band.rows : band.words) * band.dim));
        const bool tied = config_.model.tie_output;
        auto account = begin("at the embedding's gradient");
        add_gradients(account, bytes(sizes_.total) - (tied ? 0 : largest * pass_.wide), tied ? head.weight_gradients : 0);
        add_travelling(account);
        account.add("the table's new gradient", largest * pass_.wide);
        account.add("the embedded tokens' gradient", (sizes_.bands.size() > 1 ? 3 : 2) * stream());
        account.add("token ids", 2 * pass_.tokens * 8);
        return account;
    }

    // The optimizers work in place. A checkpoint first looks whether the weights are finite, then copies them.
    [[nodiscard]] Account after_update() const {
        auto account = begin("when a checkpoint is written");
        account.add("gradients", bytes(sizes_.total));
        if (!pass_.cuda && !background_) account.add(kCopy, snapshot());
        if (pass_.cuda || background_) account.add("a check of the largest weight", static_cast<double>(sizes_.largest) * (pass_.wide + 2));
        return account;
    }

    // Each rank has updated its share of the weights: a bucket at a time they go to all (data_parallel.cpp). The largest tensor is in one of its own.
    [[nodiscard]] Account weights_shared() const {
        auto account = begin("when the ranks share the new weights");
        account.add("gradients", bytes(sizes_.total));
        const double bucket = std::max(config_.dist.bucket_mb * 1048576, bytes(sizes_.largest));
        account.add("a bucket of weights", sharded_ ? std::min(bucket, bytes(sizes_.total)) * (1 + 1.0 / request_.ranks) : 0);
        return account;
    }

    // The last update's gradients are still there. Nothing is kept for a backward pass.
    [[nodiscard]] Account validation(std::int64_t length) const {
        const auto size = std::min(length, request_.valid_tokens);
        const auto windows = std::max<std::int64_t>(1, std::min(config_.eval.max_batch_tokens, request_.valid_tokens) / size);
        const auto pass = window(static_cast<double>(size), static_cast<double>(windows));
        const double states = pass.tokens * static_cast<double>(config_.model.dim) * pass.wide;
        auto account = begin(strprintf("in a validation at length %lld", static_cast<long long>(length)));
        account.add("gradients", bytes(sizes_.total));
        if (pass_.half)
            account.add("weights in half precision", static_cast<double>(config_.model.layers * sizes_.layer_products) * pass_.narrow);
        const double layer = 2 * states + layer_evaluation(config_.model, pass);  // the embedded tokens, its input
        account.add("a forward pass", std::max(layer, states + head_evaluation(config_, sizes_, pass)));
        account.add("token ids and losses", 2 * pass.tokens * 8);
        return account;
    }

    const Config& config_;
    const MemoryRequest& request_;
    ModelSizes sizes_;
    PassSizes pass_;
    std::int64_t table_length_ = 0;
    bool held_ = false;  // gradients are there before a backward pass makes them
    bool recompute_ = false;
    bool sharded_ = false;
    bool background_ = false;  // checkpoints are written beside updates
};

}  // namespace

MemoryPlan plan_memory(const Config& config, std::int64_t vocab_size, const MemoryRequest& request) {
    return Planner(config, vocab_size, request).plan();
}

std::string to_text(const MemoryPlan& plan) {
    std::string text = strprintf("%s at the peak, %s (%s bytes of tensors)\n", human_bytes(plan.total).c_str(), plan.moment.c_str(),
                                 with_commas(static_cast<std::int64_t>(std::llround(plan.total))).c_str());
    for (const auto& term : plan.terms) text += strprintf("%22s %10s  %s\n", "", human_bytes(term.bytes).c_str(), term.name.c_str());
    return text;
}

}  // namespace longbow
