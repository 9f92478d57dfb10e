// Declares every key, one line each. fields.h says how to add one.
#include "longbow/config/fields.h"

#include <algorithm>

#include "declare.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// Several keys share these conditions.
bool has_text(const Config& c) { return !c.data.train.empty(); }
bool one_store(const Config& c) { return c.data.mixture.empty(); }
bool has_task(const Config& c) { return c.task.chosen(); }
bool has_no_task(const Config& c) { return !c.task.chosen(); }
// An existing store may have a valid split; a store that is made from text has one only when data.valid is given.
bool has_validation(const Config& c) {
    return c.data.train.empty() || !c.data.valid.empty() || !c.data.valid_store.empty();
}
bool trains_vocabulary(const Config& c) { return c.tokenizer.file.empty(); }
bool is_fp16(const Config& c) { return c.train.dtype == DType::fp16; }
bool is_adaptive(const Config& c) { return !c.model.adaptive_cutoffs.empty(); }
bool is_plain(const Config& c) { return c.model.adaptive_cutoffs.empty(); }
bool has_layernorm(const Config& c) { return c.model.norm == NormKind::layernorm; }
bool restarts(const Config& c) { return c.schedule.restarts; }
bool layers_alike(const Config& c) { return c.position.layers.empty(); }

constexpr const char* kText = "data.train (text to read)";
constexpr const char* kOneStore = "no data.mixture";
constexpr const char* kTaskName = "task.name";
constexpr const char* kNoTaskText = "task.name: none";
constexpr const char* kAlike = "no position.layers";
constexpr const char* kAdaptive = "model.adaptive_cutoffs";
constexpr const char* kNoAdaptive = "no model.adaptive_cutoffs";
constexpr const char* kValidation = "data.valid (text to validate on)";

void declare_model(std::vector<Field>& fields) {
    SectionFields key("model", &Config::model, fields);
    using M = ModelConfig;
    key("layers", &M::layers, "Transformer blocks").range(1, 1024);
    key("dim", &M::dim, "Width of the residual stream; without model.head_dim a multiple of model.heads")
        .range(1, 65536);
    key("heads", &M::heads, "Attention heads a layer").range(1, 1024);
    key("head_dim", &M::head_dim, "Width of a head; 0: model.dim / model.heads").range(0, 65536).since("0.3.0");
    key("kv_heads", &M::kv_heads,
        "Heads of keys and values, each for a group of query heads (Ainslie et al. 2023; 1: Shazeer 2019); 0: model.heads")
        .range(0, 1024)
        .since("0.3.0");
    key("ffn_dim", &M::ffn_dim, "Width of the feed-forward layer").range(1, 1048576);
    key("block", &M::block, "Order of norms and sub-layers").since("0.3.0");
    key("activation", &M::activation, "Feed-forward activation");
    key("norm", &M::norm, "Normalisation");
    key("norm_eps", &M::norm_eps, "Added to the variance in the norms").above(0).below(1);
    key("norm_weights", &M::norm_weights, "Norms have weights and biases").since("0.3.0");
    key("embedding_norm", &M::embedding_norm, "Norm behind the embedding").since("0.3.0");
    key("qk_norm", &M::qk_norm, "Norm of queries and keys, before their rotation").since("0.3.0");
    key("final_norm", &M::final_norm, "Norm after the last block (the paper's WikiText-103 models have none)");
    key("bias", &M::bias, "Biases of the query, value, output and feed-forward projections, and of the norms")
        .when("model.qkv_bias", "a part that follows it (model.qkv_bias, out_bias, ffn_bias, norm_bias)",
              [](const Config& c) {
                  const auto& m = c.model;
                  const bool norms = m.norm_weights && m.norm == NormKind::layernorm;
                  const auto follows = [](PartBias part) { return part == PartBias::as_model; };
                  return follows(m.qkv_bias) || follows(m.out_bias) || follows(m.ffn_bias) ||
                         (norms && follows(m.norm_bias));
              });
    key("key_bias", &M::key_bias,
        "Bias of the key projection; its gradient is zero in theory (the paper's models have it)")
        .when("model.qkv_bias", "biases of queries and values (model.bias or model.qkv_bias)",
              [](const Config& c) { return c.model.has_bias(c.model.qkv_bias); });
    key("qkv_bias", &M::qkv_bias, "Biases of the query and value projections").since("0.3.0");
    key("out_bias", &M::out_bias, "Bias of attention's output projection").since("0.3.0");
    key("ffn_bias", &M::ffn_bias, "Biases of the feed-forward layer").since("0.3.0");
    key("norm_bias", &M::norm_bias, "Biases of layer norms")
        .when("model.norm", "model.norm: layernorm", has_layernorm)
        .when("model.norm_weights", "model.norm_weights: true", [](const Config& c) { return c.model.norm_weights; })
        .since("0.3.0");
    key("head_bias", &M::head_bias, "Bias of the output projection")
        .when("model.adaptive_cutoffs", kNoAdaptive, is_plain)
        .since("0.3.0");
    key("qkv_clip", &M::qkv_clip, "Queries, keys and values are clamped to [-qkv_clip, qkv_clip]; 0: not")
        .at_least(0)
        .since("0.3.0");
    key("score_scale", &M::score_scale, "Factor on the products of queries and keys; 0: 1 / sqrt(head_dim)")
        .at_least(0)
        .since("0.3.0");
    key("score_scale_by_layer", &M::score_scale_by_layer,
        "The factor is divided by the layer's number, which begins at 1")
        .since("0.3.0");
    key("embedding_dim", &M::embedding_dim,
        "Width of the token embedding, which is projected to model.dim and, for the output, back; 0 or model.dim: no projections")
        .range(0, 65536)
        .when("model.adaptive_cutoffs", kNoAdaptive, is_plain)
        .since("0.3.0");
    key("tie_output", &M::tie_output, "The output projection is the token embedding (adaptive: in each band)");
    key("embedding_scale", &M::embedding_scale, "Factor on the token embedding");
    key("init", &M::init, "First weights").when("train.init_from", "no train.init_from", [](const Config& c) {
        return c.train.init_from.empty();
    });
    key("dropout", &M::dropout, "After the embedding, the attention output and the feed-forward output")
        .at_least(0)
        .below(1);
    key("attention_dropout", &M::attention_dropout, "On the attention probabilities").at_least(0).below(1);
    key("activation_dropout", &M::activation_dropout, "After the feed-forward activation").at_least(0).below(1);
    key("output_dropout", &M::output_dropout, "On the input of the output projection").at_least(0).below(1);
    key("adaptive_cutoffs", &M::adaptive_cutoffs,
        "Adaptive input and softmax (Baevski and Auli 2019): the first id of each band after the first, ids sorted by frequency; "
        "the paper's WikiText-103 models have [20000, 60000]. Empty: all words have embeddings of one size")
        .unit("ids")
        .at_least(2)
        .unique();
    key("adaptive_factor", &M::adaptive_factor, "Embeddings of band i have model.dim / factor^i elements, rounded down")
        .at_least(1)
        .at_most(65536)
        .when(kAdaptive, kAdaptive, is_adaptive);
    key("tie_projections", &M::tie_projections,
        "Bands after the first use the embedding's projections for the output too")
        .when(kAdaptive, kAdaptive, is_adaptive)
        .when("model.tie_output", "model.tie_output: true", [](const Config& c) { return c.model.tie_output; });
    key("tail_dropout", &M::tail_dropout,
        "On the projected input of each band's softmax after the first (the paper's models: 0.2)")
        .at_least(0)
        .below(1)
        .when(kAdaptive, kAdaptive, is_adaptive);
}

void declare_position(std::vector<Field>& fields) {
    SectionFields key("position", &Config::position, fields);
    key("method", &PositionConfig::method,
        "How the model knows the order of its tokens; decides which other keys the section may hold")
        .when("position.layers", kAlike, layers_alike);
    key("window", &PositionConfig::window, "Keys that a query sees, its own included; 0: all before it")
        .unit("tokens")
        .at_least(0)
        .when("position.layers", kAlike, layers_alike)
        .since("0.3.0");
    key("layers", &PositionConfig::layers,
        "Position methods of the layers in turn, in place of position.method, position.window and the method's options: a list of "
        "{method: .., window: .., options: {..}}, of which layer i has entry i mod n. Entries of the same method and options "
        "share its parameters. Empty: all layers are alike")
        .since("0.3.0");
}

void declare_attention(std::vector<Field>& fields) {
    SectionFields key("attention", &Config::attention, fields);
    key("backend", &AttentionConfig::backend,
        "Attention implementation; auto takes the fastest that can serve the model");
    key("skip_threshold", &AttentionConfig::skip_threshold,
        "fused skips far blocks of keys whose weight in a row is together below exp(-skip_threshold); the default, 24 ln 2, is exact in fp32; 0: off")
        .at_least(0)
        .when_read();
}

void declare_tokenizer(std::vector<Field>& fields) {
    SectionFields key("tokenizer", &Config::tokenizer, fields);
    using T = TokenizerConfig;
    key("kind", &T::kind, "").when("data.train", kText, has_text);  // describe_tokenizers() says what kinds there are
    key("file", &T::file, "Vocabulary to use as it is").when("data.train", kText, has_text);
    key("vocab_size", &T::vocab_size,
        "Size of the vocabulary that is learned (word: the most frequent words are kept); 0: the kind's default")
        .unit("tokens")
        .range(0, 4194304)
        .when("data.train", kText, has_text)
        .when("tokenizer.file", "no tokenizer.file", trains_vocabulary);
}

void declare_data(std::vector<Field>& fields) {
    SectionFields key("data", &Config::data, fields);
    using D = DataConfig;
    key("store", &D::store, "Folder of the token store; made from the text below when it is missing")
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.mixture", kOneStore, one_store);
    key("mixture", &D::mixture,
        "Stores to train on together, each as STORE=WEIGHT: the weight is the store's share of the training inputs, relative "
        "to the other weights. All have one tokenizer; the first serves for validation. In place of data.store")
        .unique()
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("train.order", "train.order: shuffled",
              [](const Config& c) { return c.train.order == DataOrder::shuffled; });
    key("valid_store", &D::valid_store,
        "Store whose valid split is used; empty: the one that is trained on, of a mixture the first")
        .when(kTaskName, kNoTaskText, has_no_task);
    key("train", &D::train,
        "Text to train on: files, folders (for the files in them) or patterns (shards/*.jsonl.zst). Files may be compressed (.gz, .xz, .zst); those "
        "named .jsonl, .ndjson or .json hold a document a line, others plain text")
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.mixture", kOneStore, one_store);
    key("valid", &D::valid, "Text to validate on, as data.train").when("data.train", kText, has_text);
    key("test", &D::test, "Text kept for the test split, as data.train").when("data.train", kText, has_text);
    key("documents", &D::documents, "Where a document of plain text ends").when("data.train", kText, has_text);
    key("blank_lines", &D::blank_lines,
        "Empty lines in a row that end a document; a line that has only white space is empty")
        .unit("lines")
        .range(1, 1000)
        .when("data.documents", "data.documents: blank_line",
              [](const Config& c) { return c.data.documents == DocumentRule::blank_line; });
    key("jsonl_key", &D::jsonl_key, "Key of the text in each object of a file of JSON lines")
        .when("data.train", kText, has_text);
    key("shard_tokens", &D::shard_tokens, "Tokens of each file that the store is cut into; 0: as many as 1 GiB holds")
        .unit("tokens")
        .range(0, 1LL << 40)
        .when("data.train", kText, has_text);
    key("expect_vocab_size", &D::expect_vocab_size,
        "Ids that the store's vocabulary must have, so that a wrong corpus is refused and a run can be planned before its store exists; 0: any")
        .unit("ids")
        .range(0, 4194304)
        .when(kTaskName, kNoTaskText, has_no_task);
    key("expect_train_tokens", &D::expect_train_tokens, "Tokens that the store's train split must have; 0: any")
        .when(kTaskName, kNoTaskText, has_no_task)
        .unit("tokens")
        .at_least(0)
        .when("data.mixture", kOneStore, one_store);
}

void declare_task(std::vector<Field>& fields) {
    SectionFields key("task", &Config::task, fields);
    key("name", &TaskConfig::name,
        "A synthetic task to train on in place of text (docs/probes.md): each training input is one new item, and only its answer gives a "
        "loss")
        .since("0.3.0");
    key("length", &TaskConfig::length,
        "Symbols of the longest training input; an item's length is uniform up to it. What a symbol is, the task says")
        .unit("symbols")
        .range(1, 524288)
        .when(kTaskName, "a task (task.name)", has_task)
        .since("0.3.0");
}

void declare_optim(std::vector<Field>& fields) {
    SectionFields key("optim", &Config::optim, fields);
    using O = OptimConfig;
    key("name", &O::name, "Optimizer");
    key("lr", &O::lr, "Peak learning rate").above(0).at_most(1000);
    key("beta1", &O::beta1, "Decay of the gradient's running mean").at_least(0).below(1).when_read();
    key("beta2", &O::beta2, "Decay of the squared gradient's running mean").at_least(0).below(1).when_read();
    key("eps", &O::eps, "Added to the root of the squared gradient's mean").above(0).below(1).when_read();
    key("momentum", &O::momentum, "Decay of the momentum buffer; 0 is none").at_least(0).below(1).when_read();
    key("nesterov", &O::nesterov, "Nesterov's form of momentum")
        .when_read()
        .when("optim.momentum", "optim.momentum above 0", [](const Config& c) { return c.optim.momentum > 0; });
    key("weight_decay", &O::weight_decay,
        "Decoupled from the gradient for adamw and nag; not on norms, biases and position parameters")
        .range(0, 100);
    key("clip_norm", &O::clip_norm, "Largest global L2 norm of the gradient; 0 is off").at_least(0);
}

void declare_schedule(std::vector<Field>& fields) {
    SectionFields key("schedule", &Config::schedule, fields);
    using S = ScheduleConfig;
    key("name", &S::name, "Learning rate after the warm-up");
    key("warmup", &S::warmup, "Linear rise to optim.lr");
    key("warmup_init_lr", &S::warmup_init_lr, "Learning rate at the start of the warm-up")
        .at_least(0)
        .when("schedule.warmup", "schedule.warmup above 0",
              [](const Config& c) { return c.schedule.warmup.value > 0; });
    key("warmup_at_init", &S::warmup_at_init,
        "The first update runs at schedule.warmup_init_lr, the first after the warm-up at the peak (the paper's); false: the last of the warm-up runs at the peak")
        .when("schedule.warmup", "schedule.warmup above 0",
              [](const Config& c) { return c.schedule.warmup.value > 0; });
    key("min_lr", &S::min_lr, "Learning rate at the end").at_least(0).when_read();
    key("period", &S::period,
        "Length of the schedule, the warm-up included; the end value holds after it; 0 updates: until train.stop")
        .when_read();
    key("restarts", &S::restarts, "After its period the cosine begins again, instead of staying at its end")
        .when_read();
    key("period_mult", &S::period_mult, "Length of each period (without the warm-up) over the last one's")
        .range(1, 1000)
        .when("schedule.restarts", "schedule.restarts: true", restarts);
    key("shrink", &S::shrink, "Learning rates of each period, peak and end, over the last one's")
        .above(0)
        .at_most(1)
        .when("schedule.restarts", "schedule.restarts: true", restarts);
}

void declare_train(std::vector<Field>& fields) {
    SectionFields key("train", &Config::train, fields);
    using T = TrainConfig;
    key("length", &T::length, "Length of a training input (L); 0: unknown, of an imported model")
        .unit("tokens")
        .range(0, 1048576);
    key("batch", &T::batch, "Inputs in a micro-batch").unit("sequences").range(1, 1048576);
    key("accumulate", &T::accumulate, "Micro-batches an update, whose gradients are averaged over tokens")
        .range(1, 1048576);
    key("stop", &T::stop, "When training ends").above(0);
    key("seed", &T::seed, "Decides first weights, data order and dropout")
        .when("train.seeds", "no train.seeds", [](const Config& c) { return c.train.seeds.empty(); });
    key("seeds", &T::seeds, "One run a seed, reported as mean and standard deviation").at_least(0).unique();
    key("dtype", &T::dtype, "Arithmetic");
    key("init_from", &T::init_from,
        "Checkpoint that gives the first weights (another length or corpus, the same tokenizer)");
    key("deterministic", &T::deterministic,
        "Deterministic algorithms only, on GPUs too (slower there; one that has none is refused by name)");
    key("loss_scale", &T::loss_scale, "First loss scale").at_least(1).when("train.dtype", "train.dtype: fp16", is_fp16);
    key("loss_scale_window", &T::loss_scale_window, "Good updates in a row before the loss scale doubles")
        .unit("updates")
        .range(1, 1e9)
        .when("train.dtype", "train.dtype: fp16", is_fp16);
    key("max_bad_updates", &T::max_bad_updates,
        "Updates in a row with a loss or gradient that is not finite before the run ends")
        .unit("updates")
        .range(1, 1e9);
    key("loss_chunk", &T::loss_chunk, "Tokens whose logits are held at once").unit("tokens").range(1, 1048576);
    key("recompute", &T::recompute,
        "What is computed again in the backward pass instead of being kept from the forward pass");
    key("order", &T::order, "Which inputs an update sees").when(kTaskName, kNoTaskText, has_no_task);
    key("scaled_loss", &T::scaled_loss, "What the loss scale multiplies")
        .when("train.dtype", "train.dtype: fp16", is_fp16);
    key("count_skipped", &T::count_skipped,
        "Updates that are skipped for an overflow count for the schedule and train.stop (the paper's: false)")
        .when("train.dtype", "train.dtype: fp16", is_fp16);
    key("profile", &T::profile,
        "Updates, after the first three, of which RUN/trace-rank<N>.json shows each operator and communication; 0: none")
        .unit("updates")
        .range(0, 1000);
    key("skip_second_tail_words", &T::skip_second_tail_words,
        "No loss within its band for the second word of each band after the first (ids cutoff + 1), as in the paper's code, which takes it for padding")
        .when(kAdaptive, kAdaptive, is_adaptive);
}

void declare_eval(std::vector<Field>& fields) {
    SectionFields key("eval", &Config::eval, fields);
    using E = EvalConfig;
    key("lengths", &E::lengths,
        "Input lengths of the validations while training; empty: train.length. The first decides which checkpoint is best")
        .unit("tokens")
        .range(1, 16777216)
        .unique()
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.valid", kValidation, has_validation);
    key("every", &E::every, "Time between validations; 0 updates: one at the end")
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.valid", kValidation, has_validation);
    key("max_batch_tokens", &E::max_batch_tokens, "Tokens in one forward pass")
        .unit("tokens")
        .range(1, 16777216)
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.valid", kValidation, has_validation);
    key("valid_tokens", &E::valid_tokens, "Only the first tokens of the split while training; 0: all")
        .unit("tokens")
        .at_least(0)
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.valid", kValidation, has_validation);
}

void declare_checkpoint(std::vector<Field>& fields) {
    SectionFields key("checkpoint", &Config::checkpoint, fields);
    using C = CheckpointConfig;
    key("every", &C::every,
        "Time between checkpoints, the most work that a power cut can lose; they are also saved at the start, at the end, on a signal and when "
        "validation finds a best; 0 updates: only then");
    key("keep_last", &C::keep_last, "Newest checkpoints that are kept").range(1, 1000000);
    key("keep_best", &C::keep_best, "Keep the checkpoint with the lowest validation perplexity")
        .when(kTaskName, kNoTaskText, has_no_task)
        .when("data.valid", kValidation, has_validation);
}

void declare_log(std::vector<Field>& fields) {
    SectionFields key("log", &Config::log, fields);
    key("every", &LogConfig::every, "Time between lines of metrics.jsonl and log.txt").above(0);
    key("tensorboard", &LogConfig::tensorboard, "Also write TensorBoard events");
}

void declare_dist(std::vector<Field>& fields) {
    SectionFields key("dist", &Config::dist, fields);
    using D = DistConfig;
    key("timeout", &D::timeout, "How long a rank waits for another before the run ends")
        .unit("seconds")
        .range(1, 86400);
    key("shard_optimizer", &D::shard_optimizer,
        "Each rank keeps only the optimizer state of its share of the parameters (ZeRO stage 1)");
    key("reduce_dtype", &D::reduce_dtype, "What gradients travel in between ranks");
    key("bucket_mb", &D::bucket_mb, "Gradients that are reduced at once, while the backward pass continues")
        .unit("MiB")
        .range(0.1, 4096);
}

std::vector<Field> declare_all() {
    std::vector<Field> fields;
    declare_model(fields);
    declare_position(fields);
    declare_attention(fields);
    declare_tokenizer(fields);
    declare_data(fields);
    declare_task(fields);
    declare_optim(fields);
    declare_schedule(fields);
    declare_train(fields);
    declare_eval(fields);
    declare_checkpoint(fields);
    declare_log(fields);
    declare_dist(fields);
    return fields;
}

// attention.skip_threshold needs a position method with slopes or another bias that fades. Each method says in its
// registration whether it has them.
Condition needs_slopes(const ConfigContext& context) {
    std::vector<std::string> names, fading;
    std::vector<Variant> methods;
    for (const auto& method : context.position_methods) {
        if (!method.fades && !method.slopes) continue;
        methods.push_back(method);
        auto& listed = method.slopes ? names : fading;
        listed.push_back(method.name + (method.slopes_need.empty() ? "" : " with " + method.slopes_need));
    }
    const auto gives = [methods](const std::string& name, const OptionMap& options) {
        return std::any_of(methods.begin(), methods.end(), [&](const Variant& method) {
            return method.name == name && (!method.slopes_if || method.slopes_if(options));
        });
    };
    const auto others = fading.empty() ? std::string() : " or a fading bias (" + join(fading, ", ") + ")";
    return {"position.method", "a position.method with slopes (" + join(names, ", ") + ")" + others,
            [gives](const Config& config) {
                const auto& position = config.position;
                if (position.layers.empty()) return gives(position.method, position.options);
                return std::any_of(position.layers.begin(), position.layers.end(),
                                   [&](const PositionLayer& layer) { return gives(layer.method, layer.options); });
            }};
}

// A shared key needs an object that reads it. Each object lists in its registration which keys it reads.
Condition needs_reader(const ConfigContext& context, const Selector& selector, const std::string& key) {
    std::vector<std::string> names;
    for (const auto& variant : context.*selector.variants) {
        if (std::find(variant.reads.begin(), variant.reads.end(), key) != variant.reads.end())
            names.push_back(variant.name);
    }
    return {selector.path(), selector.path() + ": " + join(names, " or "),
            [names, chosen = selector.chosen](const Config& config) {
                return std::find(names.begin(), names.end(), chosen(config)) != names.end();
            }};
}

// "a, b or c" with last = " or ".
std::string listed(const std::vector<std::string>& parts, const std::string& last) {
    if (parts.size() < 2) return join(parts, "");
    return join({parts.begin(), parts.end() - 1}, ", ") + last + parts.back();
}

void describe_tokenizers(Field& field, const ConfigContext& context) {
    std::vector<std::string> kinds, files;
    for (const auto& kind : context.tokenizers) {
        kinds.push_back(kind.help.empty() ? kind.name : kind.name + " (" + kind.help + ")");
        if (!kind.file_help.empty()) files.push_back(kind.file_help);
    }
    if (field.name == "file") {
        field.help += ": " + listed(files, ", or ") + "; empty: learned from data.train";
    } else if (field.name == "kind") {
        field.help = listed(kinds, " or ");
        for (const auto& kind : context.tokenizers) field.allowed.push_back(kind.name);
    }
}

}  // namespace

const std::vector<Section>& config_sections() {
    static const std::vector<Section> sections = {
        {"model", "The network: a decoder-only transformer."},
        {"position", "The position method and its options."},
        {"attention", "The implementation of attention."},
        {"tokenizer", "How text becomes tokens, when a store is made from text."},
        {"data", "The text or the token store."},
        {"task", "A synthetic task in place of text."},
        {"optim", "The optimizer."},
        {"schedule", "The learning rate over the run."},
        {"train", "The run: lengths, batches, seeds, arithmetic."},
        {"eval", "Validation while training (`longbow eval` has flags of its own)."},
        {"checkpoint", "What is saved, and when."},
        {"log", "What is recorded during training."},
        {"dist", "Training by several processes (`--nproc`, torchrun, Slurm); without effect in one."},
    };
    return sections;
}

std::vector<Field> config_fields(const ConfigContext& context) {
    static const std::vector<Field> declared = declare_all();
    auto fields = declared;
    const auto text =
        std::find_if(fields.begin(), fields.end(), [](const Field& field) { return field.section == "data"; });
    const auto kinds_own = tokenizer_option_fields(context);
    fields.insert(text, kinds_own.begin(), kinds_own.end());
    for (auto& field : fields) {
        if (field.section == "tokenizer") describe_tokenizers(field, context);
        if (const auto* selector = selector_of(field.section)) {
            if (field.name == selector->key) {
                for (const auto& variant : context.*selector->variants) field.allowed.push_back(variant.name);
            } else if (field.read_by_chosen) {
                field.conditions.insert(field.conditions.begin(), needs_reader(context, *selector, field.name));
            }
        }
        if (field.path() == "attention.skip_threshold")
            field.conditions.insert(field.conditions.begin(), needs_slopes(context));
    }
    return fields;
}

}  // namespace longbow
