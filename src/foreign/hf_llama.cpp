// Llama and its relatives: RMSNorm, a gated feed-forward layer, rotary positions whose pairs are the halves of a head.
#include "hf_family.h"
#include "hf_rope.h"

namespace longbow {

namespace {

constexpr std::int64_t kMistralWindow = 4096;  // where the file has no sliding_window at all
constexpr std::int64_t kQwenWindow = 4096, kQwenFullLayers = 28;
constexpr std::int64_t kQwen3Head = 128, kGemmaHead = 256;

// What all of them have. `head_dim` is what a head has where the file does not say; 0: dim / heads.
void read_common(HfKeys& keys, HfSettings& settings, std::int64_t head_dim, double eps) {
    set_sizes(keys, settings, {"num_hidden_layers"}, {"hidden_size"}, {"num_attention_heads"});
    auto& model = settings.config.model;
    auto head = keys.optional_count({"head_dim"}, 1, kWidest);
    if (!head && head_dim != 0) head = head_dim;
    set_heads(keys, settings, keys.optional_count({"num_key_value_heads"}, 1, kMostHeads), head);
    model.ffn_dim = keys.count({"intermediate_size"}, 1, kWidestFfn);
    model.norm = NormKind::rmsnorm;
    model.norm_eps = keys.real({"rms_norm_eps"}, eps, 1e-12, 0.1);
    model.dropout = 0.0;
    model.attention_dropout = keys.real({"attention_dropout"}, 0.0, 0.0, 0.999999);
    settings.length = keys.optional_count({"max_position_embeddings"}, 1, kLongestInput);
    // Files of the first Llama have this in its place; those of models with scaled positions have both, and differ.
    const auto longest = keys.optional_count({"max_sequence_length"}, 1, kLongestInput);
    if (!settings.length) settings.length = longest;
    keys.harmless({"pretraining_tp"});
    set_rotary(keys, settings);
}

void read_usual(HfKeys& keys, HfSettings& settings, std::int64_t head_dim, double eps) {
    read_common(keys, settings, head_dim, eps);
    settings.config.model.activation = gated_activation(keys, {"hidden_act"}, "silu");
}

void configure_llama(HfKeys& keys, HfSettings& settings) {
    read_usual(keys, settings, 0, 1e-6);
    const bool attention = keys.flag({"attention_bias"}, false), ffn = keys.flag({"mlp_bias"}, false);
    set_linear_biases(settings.config.model, attention, attention, ffn, ffn);
    // Of SmolLM's files: where the rotation is written differently, and what the training programs noted.
    if (keys.flag({"rope_interleaved"}, false))
        keys.fail("rope_interleaved", "it is true: pairs of neighbours are not imported for this family");
    keys.harmless({"is_llama_config"});
    set_windows(keys, settings, std::nullopt, 0);
}

void configure_mistral(HfKeys& keys, HfSettings& settings) {
    read_usual(keys, settings, 0, 1e-6);
    set_linear_biases(settings.config.model, false, false, false, false);
    auto window = keys.optional_count({"sliding_window"}, 1, kLongestInput);
    if (!keys.given("sliding_window")) window = kMistralWindow;
    set_windows(keys, settings, window, 0);
}

void read_qwen_window(HfKeys& keys, HfSettings& settings) {
    const bool used = keys.flag({"use_sliding_window"}, false);
    auto window = keys.optional_count({"sliding_window"}, 1, kLongestInput);
    if (!keys.given("sliding_window")) window = kQwenWindow;
    const auto first = keys.optional_count({"max_window_layers"}, 0, kLongestInput).value_or(kQwenFullLayers);
    set_windows(keys, settings, used ? window : std::nullopt, first);
    keys.refuse("use_mrope", "rotary positions in several dimensions, which longbow does not have");
}

void configure_qwen2(HfKeys& keys, HfSettings& settings) {
    read_usual(keys, settings, 0, 1e-6);
    set_linear_biases(settings.config.model, true, false, false, false);
    read_qwen_window(keys, settings);
}

void configure_qwen3(HfKeys& keys, HfSettings& settings) {
    read_usual(keys, settings, kQwen3Head, 1e-6);
    settings.config.model.qk_norm = QkNorm::head;
    const bool bias = keys.flag({"attention_bias"}, false);
    set_linear_biases(settings.config.model, bias, bias, false, false);
    read_qwen_window(keys, settings);
}

void configure_olmo2(HfKeys& keys, HfSettings& settings) {
    read_usual(keys, settings, 0, 1e-5);
    auto& model = settings.config.model;
    model.block = BlockKind::sublayer_norm;
    model.qk_norm = QkNorm::whole;
    const bool bias = keys.flag({"attention_bias"}, false);
    set_linear_biases(model, bias, bias, false, false);
}

void configure_gemma(HfKeys& keys, HfSettings& settings) {
    read_common(keys, settings, kGemmaHead, 1e-6);
    auto& model = settings.config.model;
    // Old files say "gelu" and mean its tanh form, which the later key hidden_activation says right. Where they differ,
    // releases 4.39 to 4.57 take the later key, and 5 takes hidden_act.
    const char* usual = "gelu_pytorch_tanh";
    const auto named = keys.optional_text({"hidden_activation"});
    const bool old = keys.text({"hidden_act"}, usual) == "gelu";
    if (named && *named != (old ? usual : keys.text({"hidden_act"}, *named)))
        keys.fail("hidden_activation", "it is " + quote_foreign(*named) +
                                           ", and hidden_act says another: which of them is right is unknown");
    model.activation =
        old ? Activation::geglu_tanh : gated_activation(keys, {"hidden_act", "hidden_activation"}, usual);
    model.norm = NormKind::rmsnorm_1p;
    model.embedding_scale = EmbeddingScale::sqrt_dim_fp32;
    settings.begins_each_window = true;
    const bool bias = keys.flag({"attention_bias"}, false);
    set_linear_biases(model, bias, bias, false, false);
    keys.refuse("use_bidirectional_attention", "attention that is not causal, which longbow does not have");
    set_windows(keys, settings, std::nullopt, 0);
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    const auto queries = model.heads * model.head_size(), keys = model.key_value_heads() * model.head_size();
    const bool qkv = model.has_bias(model.qkv_bias), out = model.has_bias(model.out_bias);
    const bool ffn = model.has_bias(model.ffn_bias);
    const bool behind = model.block == BlockKind::sublayer_norm;
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = ours, attention = theirs + ".self_attn.";
        rules.norm(model, ours + ".norm1", theirs + (behind ? ".post_attention_layernorm" : ".input_layernorm"));
        rules.norm(model, ours + ".norm2",
                   theirs + (behind ? ".post_feedforward_layernorm" : ".post_attention_layernorm"));
        rules.linear(ours + ".attention.q", attention + "q_proj", queries, model.dim, qkv);
        rules.linear(ours + ".attention.k", attention + "k_proj", keys, model.dim, qkv);
        rules.linear(ours + ".attention.v", attention + "v_proj", keys, model.dim, qkv);
        rules.linear(ours + ".attention.out", attention + "o_proj", model.dim, queries, out);
        if (model.qk_norm != QkNorm::none) {
            const bool head = model.qk_norm == QkNorm::head;
            rules.whole(ours + ".attention.q_norm.weight", attention + "q_norm.weight",
                        {head ? model.head_size() : queries});
            rules.whole(ours + ".attention.k_norm.weight", attention + "k_norm.weight",
                        {head ? model.head_size() : keys});
        }
        rules.linear(ours + ".ffn.in", theirs + ".mlp.up_proj", model.ffn_dim, model.dim, ffn);
        rules.linear(ours + ".ffn.gate", theirs + ".mlp.gate_proj", model.ffn_dim, model.dim, ffn);
        rules.linear(ours + ".ffn.out", theirs + ".mlp.down_proj", model.dim, model.ffn_dim, ffn);
    }
    rules.norm(model, "final_norm", "norm");
}

HfFamily relative(const char* type, const char* label, bool tied, void (*configure)(HfKeys&, HfSettings&)) {
    return {.name = type,
            .model_types = {type},
            .label = label,
            .prefixes = {"model.", ""},
            .embedding = "embed_tokens.weight",
            .head = "lm_head.weight",
            .tied = tied,
            .configure = configure,
            .place = place};
}

[[maybe_unused]] const bool registered[] = {
    register_hf_family(relative("llama", "Llama, SmolLM", false, configure_llama)),
    register_hf_family(relative("mistral", "Mistral", false, configure_mistral)),
    register_hf_family(relative("qwen2", "Qwen 2", false, configure_qwen2)),
    register_hf_family(relative("qwen3", "Qwen 3", false, configure_qwen3)),
    register_hf_family(relative("olmo2", "OLMo 2", false, configure_olmo2)),
    register_hf_family(relative("gemma", "Gemma", true, configure_gemma))};

}  // namespace

}  // namespace longbow
