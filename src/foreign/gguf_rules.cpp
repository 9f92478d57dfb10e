#include "gguf_rules.h"

#include <string>

namespace longbow {

namespace {

void rules_of_layer(const ModelConfig& model, const GgufLayout& layout, std::int64_t layer, TensorRules& rules) {
    const std::string ours = "layers." + std::to_string(layer), theirs = "blk." + std::to_string(layer) + ".";
    const auto queries = model.heads * model.head_size(), keys = model.key_value_heads() * model.head_size();
    const bool qkv = model.has_bias(model.qkv_bias), ffn = model.has_bias(model.ffn_bias);
    const bool behind = model.block == BlockKind::sublayer_norm;
    rules.norm(model, ours + ".norm1",
               theirs + (layout.two_norms ? "attn_norm_2"
                         : behind         ? "post_attention_norm"
                                          : "attn_norm"));
    if (layout.fused) {
        rules.grouped_rows(model, ours + ".attention", theirs + "attn_qkv", 1, qkv);
    } else {
        rules.linear(ours + ".attention.q", theirs + "attn_q", queries, model.dim, qkv);
        rules.linear(ours + ".attention.k", theirs + "attn_k", keys, model.dim, qkv);
        rules.linear(ours + ".attention.v", theirs + "attn_v", keys, model.dim, qkv);
    }
    if (model.qk_norm != QkNorm::none) {
        const bool head = model.qk_norm == QkNorm::head;
        rules.whole(ours + ".attention.q_norm.weight", theirs + "attn_q_norm.weight",
                    {head ? model.head_size() : queries});
        rules.whole(ours + ".attention.k_norm.weight", theirs + "attn_k_norm.weight",
                    {head ? model.head_size() : keys});
    }
    rules.linear(ours + ".attention.out", theirs + "attn_output", model.dim, queries, model.has_bias(model.out_bias));
    if (model.block != BlockKind::parallel_one_norm)
        rules.norm(model, ours + ".norm2",
                   theirs + (layout.two_norms ? "attn_norm"
                             : behind         ? "post_ffw_norm"
                                              : "ffn_norm"));
    if (model.activation == Activation::swiglu || model.activation == Activation::geglu_tanh)
        rules.linear(ours + ".ffn.gate", theirs + "ffn_gate", model.ffn_dim, model.dim, ffn);
    rules.linear(ours + ".ffn.in", theirs + "ffn_up", model.ffn_dim, model.dim, ffn);
    rules.linear(ours + ".ffn.out", theirs + "ffn_down", model.dim, model.ffn_dim, ffn);
}

}  // namespace

TensorRules gguf_rules(const HfSettings& settings, const GgufLayout& layout) {
    const auto& model = settings.config.model;
    TensorRules rules;
    rules.whole("embed.tokens.weight", "token_embd.weight", {settings.vocab_size, model.dim});
    if (model.embedding_norm) rules.norm(model, "embed.norm", "token_embd_norm");
    if (const auto length = settings.config.position.options.find("max_length");
        length != settings.config.position.options.end())
        rules.whole("position.weight", "position_embd.weight", {std::get<std::int64_t>(length->second), model.dim});
    for (std::int64_t layer = 0; layer < model.layers; ++layer) rules_of_layer(model, layout, layer, rules);
    rules.norm(model, "final_norm", "output_norm");
    if (!model.tie_output) rules.whole("head.weight", "output.weight", {settings.vocab_size, model.dim});
    if (model.head_bias) rules.whole("head.bias", "output.bias", {settings.vocab_size});
    return rules;
}

}  // namespace longbow
