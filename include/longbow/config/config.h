// The settings of a run as plain structs with their defaults. src/config/fields.cpp declares the YAML key, type, unit,
// range and help of each exactly once; reading, overrides, checks, the JSON schema, --help and the docs page come from
// there (fields.h).
//
// Of several sources the later counts: defaults < included files < config files left to right < key.sub=value
// overrides.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "longbow/attention/choices.h"
#include "longbow/config/duration.h"
#include "longbow/core/dtype.h"
#include "longbow/data/choices.h"
#include "longbow/dist/choices.h"
#include "longbow/model/choices.h"
#include "longbow/train/choices.h"

namespace longbow {

// Options of a registered object (a position method, a kind of tokenizer), declared by itself; see config/options.h.
using OptionValue = std::variant<bool, std::int64_t, double, std::string>;
using OptionMap = std::map<std::string, OptionValue>;

struct ModelConfig {
    std::int64_t layers = 4;
    std::int64_t dim = 256;
    std::int64_t heads = 8;
    std::int64_t head_dim = 0;  // 0: dim / heads
    std::int64_t kv_heads = 0;  // heads of k and v, each for heads / kv_heads query heads; 0: heads
    std::int64_t ffn_dim = 1024;
    BlockKind block = BlockKind::pre_norm;
    Activation activation = Activation::relu;
    NormKind norm = NormKind::layernorm;
    double norm_eps = 1e-5;
    bool norm_weights = true;     // false: norms without weights and biases
    bool embedding_norm = false;  // behind the embedding, as in BLOOM
    QkNorm qk_norm = QkNorm::none;
    bool final_norm = true;
    bool bias = true;       // biases of q, v, out, ffn and norms
    bool key_bias = false;  // its gradient is zero in theory; the paper's models have it
    PartBias qkv_bias = PartBias::as_model;
    PartBias out_bias = PartBias::as_model;
    PartBias ffn_bias = PartBias::as_model;
    PartBias norm_bias = PartBias::as_model;
    bool head_bias = false;             // of the output projection
    double qkv_clip = 0.0;              // q, k and v are clamped to [-qkv_clip, qkv_clip]; 0: not
    double score_scale = 0.0;           // factor on q.k; 0: 1 / sqrt(head_dim)
    bool score_scale_by_layer = false;  // the factor is divided by the layer's number, from 1
    std::int64_t embedding_dim = 0;     // of tokens, projected to dim and, for the output, back; 0: dim
    bool tie_output = true;             // output projection = token embedding
    EmbeddingScale embedding_scale = EmbeddingScale::sqrt_dim;
    FirstWeights init = FirstWeights::fairseq;
    double dropout = 0.1;                        // after the embedding, the attention output and the FFN output
    double attention_dropout = 0.0;              // on attention probabilities
    double activation_dropout = 0.0;             // after the FFN activation
    double output_dropout = 0.0;                 // on the input of the output head
    std::vector<std::int64_t> adaptive_cutoffs;  // first id of each band of rarer words; empty: one plain embedding
    double adaptive_factor = 4.0;                // band i has embeddings of dim / factor^i
    bool tie_projections = true;                 // adaptive: the tails' projections are the embedding's
    double tail_dropout = 0.0;                   // adaptive: between a tail's projection and its words
    bool operator==(const ModelConfig&) const = default;

    [[nodiscard]] std::int64_t head_size() const { return head_dim > 0 ? head_dim : dim / heads; }
    [[nodiscard]] std::int64_t key_value_heads() const { return kv_heads > 0 ? kv_heads : heads; }
    [[nodiscard]] std::int64_t token_dim() const { return embedding_dim > 0 ? embedding_dim : dim; }
    [[nodiscard]] bool has_bias(PartBias part) const {
        return part == PartBias::on || (part == PartBias::as_model && bias);
    }
};

// One entry of position.layers, which is repeated over the layers.
struct PositionLayer {
    std::string method = "alibi";
    std::int64_t window = 0;  // keys that a query sees, its own included; 0: all
    OptionMap options;        // the method's own
    bool operator==(const PositionLayer&) const = default;
};

struct PositionConfig {
    std::string method = "alibi";
    std::int64_t window = 0;  // keys that a query sees, its own included; 0: all
    // Methods and windows of the layers in turn, instead of `method` and `window`. Empty: all layers are alike.
    std::vector<PositionLayer> layers;
    // Every other key of the section belongs to the method, which declares and so checks it.
    OptionMap options;
    bool operator==(const PositionConfig&) const = default;

    // Returns what messages and rows call the positions: the method, or the layers' methods: "rotary+none".
    [[nodiscard]] std::string method_names() const;
};

struct AttentionConfig {
    std::string backend = "auto";                 // a registered back-end, or auto
    double skip_threshold = kExactSkipThreshold;  // 0: off
    OptionMap options;                            // the back-end's own
    bool operator==(const AttentionConfig&) const = default;
};

struct TokenizerConfig {
    std::string kind = "bpe";     // a registered kind
    std::string file;             // a vocabulary as it is; empty: learnt from data.train
    std::int64_t vocab_size = 0;  // of one that is learnt; 0: the kind's default
    OptionMap options;            // the kind's own; one that is left out has its default
    bool operator==(const TokenizerConfig&) const = default;
};

struct DataConfig {
    std::string store;                 // folder of the token store; made from `train` when missing
    std::vector<std::string> mixture;  // STORE=WEIGHT, several stores to train on, instead of `store`
    std::string valid_store;           // store whose valid split validates; empty: the (first) training store
    std::vector<std::string> train;    // text: files (plain or JSON lines; .gz, .xz, .zst), folders, patterns
    std::vector<std::string> valid;
    std::vector<std::string> test;
    DocumentRule documents = DocumentRule::file;  // where a document ends
    std::int64_t blank_lines = 2;                 // empty lines that end a document, for documents: blank_line
    std::string jsonl_key = "text";               // key of the text in each object of JSON lines
    std::int64_t shard_tokens = 0;                // tokens of each file of the store; 0: 1 GiB a file
    std::int64_t expect_vocab_size = 0;           // what the store must have; 0: anything
    std::int64_t expect_train_tokens = 0;
    bool operator==(const DataConfig&) const = default;
};

inline constexpr const char* kNoTask = "none";

struct TaskConfig {
    std::string name = kNoTask;  // a registered task, whose items are trained on; kNoTask: the text of DataConfig
    std::int64_t length = 20;    // symbols of the longest input (L_t of a task)
    OptionMap options;           // the task's own
    bool operator==(const TaskConfig&) const = default;

    [[nodiscard]] bool chosen() const { return name != kNoTask; }
};

struct OptimConfig {
    std::string name = "adamw";  // a registered optimizer
    double lr = 1e-3;            // peak learning rate
    double beta1 = 0.9;
    double beta2 = 0.98;
    double eps = 1e-8;
    double momentum = 0.9;      // sgd, nag
    bool nesterov = false;      // sgd
    double weight_decay = 0.0;  // decoupled for adamw and nag; not on norms, biases, position parameters
    double clip_norm = 1.0;     // maximal global L2 norm of the gradient; 0: no clipping
    OptionMap options;          // the optimizer's own
    bool operator==(const OptimConfig&) const = default;
};

struct ScheduleConfig {
    std::string name = "cosine";  // a registered schedule
    Duration warmup{0, Duration::Unit::updates};
    double warmup_init_lr = 0.0;
    bool warmup_at_init = false;                  // the first update runs at warmup_init_lr itself
    double min_lr = 0.0;                          // at the end (linear, cosine)
    Duration period{0, Duration::Unit::updates};  // length in which the schedule ends; 0: until train.stop
    bool restarts = false;                        // cosine: begins again after each period
    double period_mult = 1.0;                     // restarts: ratio of each period's length to the last one's
    double shrink = 1.0;                          // restarts: ratio of each period's learning rates to the last one's
    OptionMap options;                            // the schedule's own
    bool operator==(const ScheduleConfig&) const = default;
};

struct TrainConfig {
    std::int64_t length = 64;     // tokens an input (L)
    std::int64_t batch = 32;      // sequences a micro-batch
    std::int64_t accumulate = 1;  // micro-batches an update
    Duration stop{600, Duration::Unit::updates};
    std::uint64_t seed = 1;
    std::vector<std::int64_t> seeds;  // several runs, one a seed, reported as mean and standard deviation
    DType dtype = DType::fp32;
    std::string init_from;                  // checkpoint with the first weights
    bool deterministic = false;             // use deterministic algorithms only
    double loss_scale = 65536.0;            // fp16: first loss scale
    std::int64_t loss_scale_window = 2000;  // fp16: finite updates in a row before the loss scale doubles
    std::int64_t max_bad_updates = 20;      // non-finite updates in a row that end the run with exit code 65
    std::int64_t loss_chunk = 1024;         // tokens whose logits are in memory at once
    Recompute recompute = Recompute::none;  // activations that the backward pass computes again
    DataOrder order = DataOrder::shuffled;
    ScaledLoss scaled_loss = ScaledLoss::mean;  // fp16: what the loss scale multiplies
    bool count_skipped = true;                  // fp16: updates skipped for an overflow advance the schedule
    std::int64_t profile = 0;                   // number of updates in a Chrome trace
    bool skip_second_tail_words = false;        // adaptive: no tail loss for ids cutoff + 1, as in the authors' code
    bool operator==(const TrainConfig&) const = default;
};

struct EvalConfig {
    std::vector<std::int64_t> lengths;           // validation lengths while training; empty: train.length
    Duration every{0, Duration::Unit::updates};  // 0: once, at the end
    std::int64_t max_batch_tokens = 16384;       // tokens a forward pass
    std::int64_t valid_tokens = 0;               // while training, use the split's first tokens; 0: all
    bool operator==(const EvalConfig&) const = default;
};

struct CheckpointConfig {
    // The time between checkpoints is what a power cut may cost. With 0 they are saved only at the start, at the end,
    // on a signal, and when validation finds a best.
    Duration every{600, Duration::Unit::seconds};
    std::int64_t keep_last = 2;
    bool keep_best = true;
    bool operator==(const CheckpointConfig&) const = default;
};

struct LogConfig {
    Duration every{10, Duration::Unit::updates};  // lines in metrics.jsonl and log.txt
    bool tensorboard = true;
    bool operator==(const LogConfig&) const = default;
};

struct DistConfig {
    double timeout = 600.0;                        // seconds
    bool shard_optimizer = false;                  // ZeRO stage 1
    ReduceDType reduce_dtype = ReduceDType::full;  // type in which ranks exchange gradients
    double bucket_mb = 25.0;                       // MiB of gradients that are reduced together
    bool operator==(const DistConfig&) const = default;
};

struct Config {
    ModelConfig model;
    PositionConfig position;
    AttentionConfig attention;
    TokenizerConfig tokenizer;
    DataConfig data;
    TaskConfig task;
    OptimConfig optim;
    ScheduleConfig schedule;
    TrainConfig train;
    EvalConfig eval;
    CheckpointConfig checkpoint;
    LogConfig log;
    DistConfig dist;
    bool operator==(const Config&) const = default;
};

}  // namespace longbow
