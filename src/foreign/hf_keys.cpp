#include "hf_keys.h"

#include <fmt/core.h>

#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

namespace {

std::string shown(const Json& value) {
    const auto text = json_text(value);
    return is_plain(text) ? text : quote_foreign(text);
}

bool is_off(const Json& value) {
    if (value.is_null()) return true;
    if (value.is_boolean()) return !value.get<bool>();
    if (value.is_number()) return value.get<double>() == 0.0;
    return value.empty();
}

}  // namespace

const Json* HfKeys::value(Names names) {
    const Json* found = nullptr;
    const char* found_name = nullptr;
    for (const char* name : names) {
        known_.insert(name);
        const auto entry = json_.find(name);
        if (entry == json_.end() || entry->is_null()) continue;
        if (found != nullptr && *entry != *found) {
            fail(name, fmt::format("it is {}, but {}, which means the same, is {}: which of them is right is unknown",
                                   shown(*entry), found_name, shown(*found)));
        }
        if (found == nullptr) {
            found = &*entry;
            found_name = name;
        }
    }
    return found;
}

std::optional<std::int64_t> HfKeys::optional_count(Names names, std::int64_t low, std::int64_t high) {
    const Json* given = value(names);
    if (given == nullptr) return std::nullopt;
    std::int64_t number = 0;
    if (given->is_number_unsigned() && given->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
        number = INT64_MAX;
    } else if (given->is_number_integer()) {
        number = given->get<std::int64_t>();
    } else if (given->is_number_float() && std::floor(given->get<double>()) == given->get<double>() &&
               std::abs(given->get<double>()) < 0x1p53) {
        number = static_cast<std::int64_t>(given->get<double>());
    } else {
        fail(*names.begin(), "it is " + shown(*given) + ", not a whole number");
    }
    if (number < low || number > high)
        fail(*names.begin(), fmt::format("it is {}, outside of {} to {}", number, low, high));
    return number;
}

std::int64_t HfKeys::count(Names names, std::int64_t low, std::int64_t high) {
    const auto number = optional_count(names, low, high);
    if (!number) fail(*names.begin(), "it is missing, and a model has no size by default: add it");
    return *number;
}

std::optional<double> HfKeys::optional_real(Names names, double low, double high) {
    const Json* given = value(names);
    if (given == nullptr) return std::nullopt;
    if (!given->is_number()) fail(*names.begin(), "it is " + shown(*given) + ", not a number");
    const auto number = given->get<double>();
    if (!(number >= low && number <= high))
        fail(*names.begin(), fmt::format("it is {:g}, outside of {:g} to {:g}", number, low, high));
    return number;
}

double HfKeys::real(Names names, double otherwise, double low, double high) {
    return optional_real(names, low, high).value_or(otherwise);
}

bool HfKeys::flag(Names names, bool otherwise) {
    const Json* given = value(names);
    if (given == nullptr) return otherwise;
    if (!given->is_boolean()) fail(*names.begin(), "it is " + shown(*given) + ", neither true nor false");
    return given->get<bool>();
}

std::optional<std::string> HfKeys::optional_text(Names names) {
    const Json* given = value(names);
    if (given == nullptr) return std::nullopt;
    if (!given->is_string()) fail(*names.begin(), "it is " + shown(*given) + ", not a text");
    return given->get<std::string>();
}

std::string HfKeys::text(Names names, const std::string& otherwise) { return optional_text(names).value_or(otherwise); }

const Json* HfKeys::object(const char* name) {
    const Json* given = value({name});
    if (given != nullptr && !given->is_object()) fail(name, "it is " + shown(*given) + ", not an object");
    return given;
}

std::optional<std::vector<std::string>> HfKeys::texts(const char* name) {
    const Json* given = value({name});
    if (given == nullptr) return std::nullopt;
    std::vector<std::string> texts;
    if (given->is_array()) {
        for (const auto& item : *given) {
            if (item.is_string()) texts.push_back(item.get<std::string>());
        }
    }
    if (!given->is_array() || texts.size() != given->size())
        fail(name, "it is " + shown(*given) + ", not a list of texts");
    return texts;
}

void HfKeys::harmless(Names names) {
    for (const char* name : names) known_.insert(name);
}

void HfKeys::refuse(const char* name, const std::string& meaning) {
    known_.insert(name);
    const auto entry = json_.find(name);
    if (entry != json_.end() && !is_off(*entry)) fail(name, "it is " + shown(*entry) + ": " + meaning);
}

void HfKeys::finish(const std::string& family) const {
    std::vector<std::string> known(known_.begin(), known_.end());
    for (const auto& [key, value] : json_.items()) {
        if (known_.contains(key)) continue;
        const auto near = nearest(key, known);
        throw CheckpointError(
            fmt::format("{}: key {} (= {}) is not known for the family {}{}: what the model computes with it is "
                        "unknown; if it changes nothing, remove it",
                        what_, is_plain(key) ? key : quote_foreign(key), shown(value), family,
                        near ? "; did you mean " + *near + "?" : ""));
    }
}

void HfKeys::fail(const std::string& reason) const { throw CheckpointError(what_ + ": " + reason); }
void HfKeys::fail(const char* key, const std::string& reason) const { fail("key " + std::string(key) + ": " + reason); }

void read_common_keys(HfKeys& keys) {
    keys.harmless({"model_type",
                   "architectures",
                   "auto_map",
                   "torch_dtype",
                   "dtype",
                   "transformers_version",
                   "_name_or_path",
                   "name_or_path",
                   "_commit_hash",
                   "use_cache",
                   "initializer_range",
                   "init_std",
                   "bos_token_id",
                   "eos_token_id",
                   "pad_token_id",
                   "unk_token_id",
                   "sep_token_id",
                   "cls_token_id",
                   "mask_token_id",
                   "decoder_start_token_id",
                   "tokenizer_class",
                   "tokenizer_name",
                   "prefix",
                   "return_dict",
                   "output_attentions",
                   "output_hidden_states",
                   "output_scores",
                   "return_dict_in_generate",
                   "torchscript",
                   "use_bfloat16",
                   "tf_legacy_loss",
                   "gradient_checkpointing",
                   "problem_type",
                   "finetuning_task",
                   "task_specific_params",
                   "id2label",
                   "label2id",
                   "num_labels",
                   "_num_labels",
                   "output_past",
                   "tie_encoder_decoder",
                   "transformers.js_config",
                   "unsloth_version",
                   "unsloth_fixed",
                   "license",
                   "language",
                   "is_decoder",
                   "attn_implementation",
                   "_attn_implementation",
                   "_attn_implementation_autoset",
                   "_flash_attn_2_enabled",
                   "use_flash_attn",
                   "use_flash_attention_2",
                   "tie_last_hidden_states"});
    // Generation.
    keys.harmless({"max_length",
                   "min_length",
                   "max_new_tokens",
                   "min_new_tokens",
                   "do_sample",
                   "early_stopping",
                   "num_beams",
                   "num_beam_groups",
                   "diversity_penalty",
                   "temperature",
                   "top_k",
                   "top_p",
                   "typical_p",
                   "repetition_penalty",
                   "length_penalty",
                   "no_repeat_ngram_size",
                   "encoder_no_repeat_ngram_size",
                   "bad_words_ids",
                   "num_return_sequences",
                   "remove_invalid_values",
                   "exponential_decay_length_penalty",
                   "suppress_tokens",
                   "begin_suppress_tokens",
                   "forced_bos_token_id",
                   "forced_eos_token_id"});
    for (const char* key : {"quantization_config", "compression_config"})
        keys.refuse(key, "the weights are quantized; give the folder of the model as it was before");
    for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
        keys.refuse(key, "the scores are bent by a tanh, which longbow does not have");
    for (const char* key : {"num_experts", "num_local_experts", "num_experts_per_tok", "n_routed_experts",
                            "n_shared_experts", "moe_intermediate_size"})
        keys.refuse(key, "the model is a mixture of experts, which longbow does not have");
    keys.refuse("is_encoder_decoder", "the model has an encoder, which longbow does not have");
    keys.refuse("add_cross_attention", "the model attends to an encoder, which longbow does not have");
    keys.refuse("cross_attention_hidden_size", "the model attends to an encoder, which longbow does not have");
    keys.refuse("pruned_heads", "the model's layers have different numbers of heads, which longbow does not have");
    keys.refuse("chunk_size_feed_forward", "only 0 is known");
    keys.refuse("per_layer_config", "the model's layers have different settings, which longbow does not have");
    keys.refuse("attention_chunk_size", "the model attends within chunks, which longbow does not have");
    keys.refuse("query_pre_attn_scalar", "the scores have a scale of their own; no family that is read has this key");
}

}  // namespace longbow
