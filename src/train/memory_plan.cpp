#include "memory_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "longbow/core/strings.h"
#include "longbow/data/update_share.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"
#include "session.h"

namespace longbow {

namespace {

constexpr const char* kCopy = "copy for the checkpoint being written";
constexpr double kCublasWorkspace = 32 << 20;  // the largest of ATen's defaults, taken from its caching allocator

// Holds the memory at one moment.
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

class Planner {
public:
    Planner(const Config& config, std::int64_t vocab_size, const MemoryRequest& request)
        : config_(config),
          request_(request),
          cuda_(starts_with(request.device, "cuda")),
          recompute_(config.train.recompute == Recompute::layer),
          sharded_(config.dist.shard_optimizer && request.ranks > 1),
          // Checkpoints are written while training goes on if any are written before its end.
          background_(config.checkpoint.every.value > 0 || (request.valid_tokens > 0 && config.eval.every.value > 0)),
          model_(make_meta_model(config, vocab_size)) {
        const auto share = largest_share(config.train, request.ranks);
        held_ = share.micro_batches > 1 || request.ranks > 1;
        pass_ = {request.device, request.threads, share.inputs, config.train.length, !held_ || recompute_};
        memory_ = model_->memory(pass_);
    }

    MemoryPlan plan() const {
        std::vector<Account> moments = {
            output_head(),     head_backward(),      layer_backward(config_.model.layers - 1),
            layer_backward(0), embedding_backward(), after_update(),
            weights_shared()};
        if (request_.valid_tokens > 0) {
            for (const auto length : validation_lengths(config_)) moments.push_back(validation(length));
        }
        const auto most = std::max_element(moments.begin(), moments.end(),
                                           [](const Account& a, const Account& b) { return a.total() < b.total(); });
        return {most->moment, most->terms, most->total(), snapshot(), memory_.attention};
    }

private:
    [[nodiscard]] double optimizer_state() const {
        const auto slots = static_cast<double>(optimizer_slots(config_.optim).size());
        return slots * memory_.weights / (sharded_ ? static_cast<double>(request_.ranks) : 1.0);
    }
    // Counts the ids of inputs and of targets.
    [[nodiscard]] double token_ids() const { return 2 * static_cast<double>(pass_.batch * pass_.length * 8); }
    // Returns the bytes of the copy that rank 0 makes (save.cpp).
    [[nodiscard]] double snapshot() const { return memory_.weights + optimizer_state(); }

    // Adds the buffers for communication between the ranks, besides the buckets (gradient_hooks.cpp). Gradients that
    // are sent in another type, and buckets that do not divide evenly among the ranks, are copied; each rank's sums are
    // held until the end of the backward pass.
    [[nodiscard]] double exchanged_gradients() const {
        if (request_.ranks == 1) return 0;
        const bool full = config_.dist.reduce_dtype == ReduceDType::full;
        const double copy = full ? memory_.weights : 2 * static_cast<double>(model_->parameter_count());
        if (!sharded_) return full ? 0 : copy;
        return copy / request_.ranks + (full && divides_evenly() ? 0 : copy);
    }
    [[nodiscard]] bool divides_evenly() const {
        const auto parameters = model_->parameters();
        return std::all_of(parameters.begin(), parameters.end(),
                           [&](const auto& parameter) { return parameter.numel() % request_.ranks == 0; });
    }

    // Adds what exists at every moment. Weights: language_model.cpp; state: optimizer.cpp; tables: what position
    // methods and attention keep.
    [[nodiscard]] Account begin(std::string moment) const {
        Account account{std::move(moment), {}};
        account.add("weights", memory_.weights);
        account.add(sharded_ ? "optimizer state, this rank's share" : "optimizer state", optimizer_state());
        account.add("attention's masks", memory_.masks);
        if (!cuda_ && background_) account.add(kCopy, snapshot());
        if (cuda_) account.add("cuBLAS' workspace", kCublasWorkspace);
        return account;
    }

    // Adds the gradients at a moment of the backward pass in which, without accumulation, only those of `made`
    // parameters (in bytes) would exist. Accumulated gradients all exist from the second micro-batch on, and so do the
    // Reducer's buckets, of which the gradients are views (one flat copy, not two). A tied matrix has two parts: the
    // head's gradient (`pending`) waits for the embedding's, besides what has been accumulated.
    void add_gradients(Account& account, double made, double pending) const {
        account.add("gradients", held_ ? memory_.weights + pending : made);
    }
    void add_exchanged_gradients(Account& account) const {
        account.add("gradients on their way between ranks", exchanged_gradients());
    }

    // Adds what the first `layers` layers have kept, and the batch.
    void add_kept(Account& account, std::int64_t layers) const {
        const auto& layer = memory_.layer;
        const auto count = static_cast<double>(layers);
        account.add(recompute_ ? "layers' inputs" : "activations", count * (recompute_ ? layer.input : layer.kept));
        if (!recompute_) account.add("weights in half precision", count * layer.copies);
        account.add("kept behind the embedding", memory_.embedding.kept);
        account.add("token ids", token_ids());
    }

    [[nodiscard]] Account output_head() const {
        auto account = begin("in the output head");
        add_gradients(account, 0, 0);
        add_kept(account, config_.model.layers);
        account.add("hidden states", memory_.stream + memory_.final_norm_input);
        account.add("output head", memory_.head.loss);
        return account;
    }

    // Goes from the loss to the last layer's output. The hidden states were released with the scope of the loss.
    [[nodiscard]] Account head_backward() const {
        auto account = begin("in the backward pass of the output head");
        add_gradients(account, 0, 0);
        add_kept(account, config_.model.layers);
        account.add("hidden states", memory_.final_norm_input);
        const double norm_gradient = memory_.final_norm_input;  // as large as the input
        account.add("output head", memory_.head.handed_on + memory_.head.hidden_gradient + norm_gradient);
        return account;
    }

    // Layers are counted from 0; the layers after this one have their gradients already.
    [[nodiscard]] Account layer_backward(std::int64_t index) const {
        const auto& head = memory_.head;
        auto account = begin(fmt::format("in the backward pass of layer {} of {}", index + 1, config_.model.layers));
        const auto behind = static_cast<double>(config_.model.layers - 1 - index) * memory_.layer_weights;
        add_gradients(account, head.weight_gradients + memory_.final_norm_weights + behind, head.tied_gradients);
        add_kept(account, index);
        if (index == 0) add_exchanged_gradients(account);
        account.add("this layer",
                    // A recomputed layer produces its output once more.
                    memory_.layer.backward + (recompute_ ? memory_.stream : 0));
        return account;
    }

    // The embedding's gradient is a whole table, to which the gradient of a tied output is then added.
    [[nodiscard]] Account embedding_backward() const {
        const double table = memory_.embedding.table_gradient, tied = memory_.head.tied_gradients;
        auto account = begin("at the embedding's gradient");
        add_gradients(account, memory_.weights - (tied > 0 ? 0 : table), tied);
        add_exchanged_gradients(account);
        account.add("the table's new gradient", table);
        account.add("the embedded tokens' gradient", memory_.embedding.gradient);
        account.add("token ids", token_ids());
        return account;
    }

    // The optimizers work in place. A checkpoint first checks that the weights are finite and then copies them.
    [[nodiscard]] Account after_update() const {
        auto account = begin("when a checkpoint is written");
        account.add("gradients", memory_.weights);
        if (!cuda_ && !background_) account.add(kCopy, snapshot());
        // A check makes the absolute values, and masks of two bytes for each element.
        if (cuda_ || background_)
            account.add("a check of the largest weight", memory_.largest_weight * (1 + 2 / memory_.wide));
        return account;
    }

    // Each rank has updated its share of the weights, which are then exchanged bucket by bucket (data_parallel.cpp).
    // The largest tensor has a bucket of its own.
    [[nodiscard]] Account weights_shared() const {
        auto account = begin("when the ranks share the new weights");
        account.add("gradients", memory_.weights);
        const double bucket = std::max(config_.dist.bucket_mb * 1048576, memory_.largest_weight);
        account.add("a bucket of weights",
                    sharded_ ? std::min(bucket, memory_.weights) * (1 + 1.0 / request_.ranks) : 0);
        return account;
    }

    // The last update's gradients still exist. Nothing is kept for a backward pass.
    [[nodiscard]] Account validation(std::int64_t length) const {
        const auto size = std::min(length, request_.valid_tokens);
        const auto windows =
            std::max<std::int64_t>(1, std::min(config_.eval.max_batch_tokens, request_.valid_tokens) / size);
        const PassRequest pass{request_.device, request_.threads, windows, size, true};
        auto account = begin(fmt::format("in a validation at length {}", length));
        account.add("gradients", memory_.weights);
        account.add("weights in half precision", static_cast<double>(config_.model.layers) * memory_.layer.copies);
        account.add("a forward pass", model_->memory(pass).evaluation);
        account.add("token ids and losses", 2 * static_cast<double>(windows * size * 8));
        return account;
    }

    const Config& config_;
    const MemoryRequest& request_;
    bool cuda_, recompute_, sharded_;
    bool background_;                       // whether checkpoints are written beside updates
    bool held_ = false;                     // whether gradients exist before a backward pass makes them
    std::shared_ptr<LanguageModel> model_;  // of shapes without values
    PassRequest pass_;                      // of training
    ModelMemory memory_;
};

}  // namespace

MemoryPlan plan_memory(const Config& config, std::int64_t vocab_size, const MemoryRequest& request) {
    return Planner(config, vocab_size, request).plan();
}

std::string to_text(const MemoryPlan& plan) {
    std::string text = fmt::format("{} at the peak, {} ({} bytes of tensors)\n", human_bytes(plan.total), plan.moment,
                                   with_commas(static_cast<std::int64_t>(std::llround(plan.total))));
    for (const auto& term : plan.terms)
        text += fmt::format("{:>22} {:>10}  {}\n", "", human_bytes(term.bytes), term.name);
    return text;
}

}  // namespace longbow
