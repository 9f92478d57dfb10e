// Makes registered objects as their registries would pass them to the config room, which lies below those and must be
// tested without them.
#pragma once

#include "longbow/config/load.h"

namespace longbow {

inline std::optional<Objection> no_bytes_missing(const Config& config) {
    const auto size = config.tokenizer.vocab_size;
    if (size == 0 || size >= 257) return std::nullopt;
    return Objection{{"tokenizer.vocab_size", "tokenizer.kind"}, "at least 257"};
}

inline ConfigContext test_context() {
    ConfigContext context;
    context.position_methods = {
        {"alibi",
         "Linear biases",
         {{"slopes", std::string("authors"), "Slope rule", {"authors", "geometric"}, {}, {}}},
         true},
        {"none", "No positions", {}},
        {"rotary", "Rotated queries and keys", {{"base", 10000.0, "Base of the angles", {}, 1.0, 1e9}}},
        {"t5",
         "Bucketed distances",
         {{"buckets", std::int64_t{32}, "Buckets", {}, 2, 4096},
          {"shared", true, "One table for all layers", {}, {}, {}}}},
    };
    context.optimizers = {
        {"adamw", "Adam", {}, false, {"beta1", "beta2", "eps"}},
        {"lion",
         "One with an option of its own",
         {{"sign_eps", 0.0, "Below it a sign is 0", {}, 0.0, 1.0}},
         false,
         {"beta1", "beta2"}},
        {"nag", "Nesterov's", {}, false, {"momentum"}},
        {"sgd", "Gradient descent", {}, false, {"momentum", "nesterov"}},
    };
    context.schedules = {
        {"constant", "One rate", {}},
        {"cosine", "Half a wave", {}, false, {"min_lr", "period", "restarts"}},
        {"inverse_sqrt", "As fairseq", {}},
        {"linear", "A line", {}, false, {"min_lr", "period"}},
    };
    context.tokenizers = {
        {.name = "bpe", .help = "byte level", .file_help = "vocab.json", .check = no_bytes_missing},
        {.name = "sentencepiece",
         .file_help = "a .model",
         .options = {{.key = "sentencepiece_model",
                      .default_value = std::string("unigram"),
                      .help = "What it learns",
                      .choices = {"unigram", "bpe"},
                      .conditions = {{"tokenizer.file", "no tokenizer.file",
                                      [](const Config& c) { return c.tokenizer.file.empty(); }}}}}},
        {.name = "word", .help = "whole words", .file_help = "dict.txt"},
        {.name = "wordpiece",
         .help = "BERT vocabulary",
         .file_help = "vocab.txt",
         .options = {{.key = "lowercase", .default_value = false, .help = "Lower-case first"}}},
    };
    context.attention_backends = {
        {"auto", "The first that can serve", {}, false, {"skip_threshold"}},
        {"blocks", "One with an option of its own", {{"block", std::int64_t{64}, "Rows at once", {}, 1.0, 256.0}}},
        {"reference", "Step by step", {}},
        {"sdpa", "ATen's", {}},
    };
    return context;
}

}  // namespace longbow
