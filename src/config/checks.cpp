#include "checks.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"
#include "position_layers.h"

namespace longbow {

namespace {

class Checks {
public:
    Checks(const Config& config, const ConfigContext& context, const Origins& origins)
        : c_(config), context_(context), origins_(origins) {}

    void check_relations() const {
        model();
        position_layers();
        adaptive();
        tokenizer();
        schedule();
        data();
        chosen_objects();
        if (c_.train.seeds.size() == 1) {
            refuse({"train.seeds"},
                   "one seed is not a list of runs; write train.seed: " + std::to_string(c_.train.seeds[0]));
        }
        const bool reads = !c_.data.train.empty() || !c_.data.store.empty() || !c_.data.mixture.empty();
        const bool trains = reads || c_.task.chosen();
        if (trains && c_.train.length == 0)
            refuse({"train.length"}, "0 says that the length is unknown; training needs one");
        const bool validates =
            !c_.task.chosen() && (c_.data.train.empty() || !c_.data.valid.empty() || !c_.data.valid_store.empty());
        const auto longest = c_.eval.lengths.empty()
                                 ? c_.train.length
                                 : *std::max_element(c_.eval.lengths.begin(), c_.eval.lengths.end());
        // A configuration without data or lengths, as of an imported model, validates nothing.
        const bool measures = trains || !c_.eval.lengths.empty();
        if (measures && validates && c_.eval.max_batch_tokens < longest) {
            refuse({"eval.max_batch_tokens", "eval.lengths", "train.length"},
                   fmt::format(
                       "a forward pass holds {} tokens (eval.max_batch_tokens), fewer than the longest window of {}",
                       c_.eval.max_batch_tokens, longest));
        }
    }

private:
    // `keys`: those that the message is about; the first one that the user has set tells where to look.
    [[noreturn]] void refuse(const std::vector<std::string>& keys, const std::string& message) const {
        for (const auto& key : keys) {
            const auto found = origins_.find(key);
            if (found != origins_.end()) throw ConfigError(found->second.place + ": " + key + ": " + message);
        }
        throw ConfigError(keys.front() + ": " + message);
    }

    void model() const {
        const auto& m = c_.model;
        if (m.head_dim == 0 && m.dim % m.heads != 0) {
            refuse({"model.heads", "model.dim"},
                   fmt::format("model.dim ({}) is not a multiple of model.heads ({})", m.dim, m.heads));
        }
        if (m.heads % m.key_value_heads() != 0) {
            refuse({"model.kv_heads", "model.heads"},
                   fmt::format("model.heads ({}) is not a multiple of model.kv_heads ({})", m.heads, m.kv_heads));
        }
    }

    void position_layers() const {
        const auto& layers = c_.position.layers;
        if (static_cast<std::int64_t>(layers.size()) > c_.model.layers) {
            refuse({"position.layers", "model.layers"},
                   fmt::format("{} entries are more than model.layers ({}): the last would have no layer",
                               layers.size(), c_.model.layers));
        }
        for (std::size_t entry = 0; entry < layers.size(); ++entry) {
            const auto alone = with_layer(c_, layers[entry], context_);
            for (const auto& field : layer_option_fields(context_, layers[entry], entry)) {
                const auto set = origins_.find(field.path());
                if (set == origins_.end() || set->second.own) continue;
                if (const auto* missing = field.without_effect(alone)) {
                    throw ConfigError(set->second.place + ": " + field.path() + " has no effect here: it needs " +
                                      missing->need + " in the same entry; remove it");
                }
            }
        }
    }

    void adaptive() const {
        const auto& cutoffs = c_.model.adaptive_cutoffs;
        if (!std::is_sorted(cutoffs.begin(), cutoffs.end()))
            refuse({"model.adaptive_cutoffs"}, "the first ids of the bands must ascend");
        if (static_cast<double>(c_.model.dim) <
            std::pow(c_.model.adaptive_factor, static_cast<double>(cutoffs.size()))) {
            refuse({"model.adaptive_factor", "model.adaptive_cutoffs"},
                   fmt::format("model.dim ({}) leaves no element for band {}: choose a smaller factor or fewer cutoffs",
                               c_.model.dim, cutoffs.size()));
        }
    }

    void tokenizer() const {
        if (c_.data.train.empty()) return;
        for (const auto& kind : context_.tokenizers) {
            if (kind.name != c_.tokenizer.kind || !kind.check) continue;
            if (const auto objection = kind.check(c_)) refuse(objection->keys, objection->message);
        }
    }

    void data() const {
        if (c_.data.jsonl_key.empty()) refuse({"data.jsonl_key"}, "the text of JSON lines needs a key");
        if (find_invalid_utf8(c_.data.jsonl_key) != std::string::npos)
            refuse({"data.jsonl_key"}, "a key of JSON is UTF-8");
        if (c_.data.shard_tokens != 0 && c_.data.shard_tokens < 1024) {
            refuse({"data.shard_tokens"},
                   fmt::format("files of {} tokens are too many: 0, or at least 1024", c_.data.shard_tokens));
        }
        if (c_.data.mixture.size() == 1) refuse({"data.mixture"}, "one store is not a mixture; write data.store");
    }

    void chosen_objects() const {
        for (const auto& selector : selectors()) {
            for (const auto& variant : context_.*selector.variants) {
                if (variant.name != selector.chosen(c_) || !variant.check) continue;
                if (const auto objection = variant.check(c_)) refuse(objection->keys, objection->message);
            }
        }
    }

    // Returns false if a > b is certain before the data are known.
    static bool within(const Duration& a, const Duration& b) { return a.unit != b.unit || a.value <= b.value; }

    void schedule() const {
        const auto& s = c_.schedule;
        const auto& stop = c_.train.stop;
        const char* no_time = "a schedule is a function of the update: give updates, tokens or epochs";
        if (!within(s.warmup, stop)) {
            refuse({"schedule.warmup", "train.stop"},
                   s.warmup.text() + " of warm-up is more than train.stop (" + stop.text() + ")");
        }
        if (s.warmup.unit == Duration::Unit::seconds) refuse({"schedule.warmup"}, no_time);
        if (s.warmup_init_lr > c_.optim.lr) {
            refuse({"schedule.warmup_init_lr", "optim.lr"}, "schedule.warmup_init_lr is above the peak, optim.lr");
        }
        if (!chosen_reads(c_, context_, *selector_of("schedule"), "period")) return;
        if (s.min_lr > c_.optim.lr)
            refuse({"schedule.min_lr", "optim.lr"}, "schedule.min_lr is above the peak, optim.lr");
        if (s.period.unit == Duration::Unit::seconds) refuse({"schedule.period"}, no_time);
        if (s.period.value > 0 && !within(s.warmup, s.period)) {
            refuse({"schedule.period", "schedule.warmup"},
                   "the period (" + s.period.text() + ") ends before the warm-up (" + s.warmup.text() + ")");
        }
        if (s.period.value == 0 && stop.unit == Duration::Unit::seconds) {
            refuse({"train.stop", "schedule.name"}, s.name + " must know its length: with train.stop in time (" +
                                                        stop.text() + "), set schedule.period");
        }
    }

    const Config& c_;
    const ConfigContext& context_;
    const Origins& origins_;
};

// All keys that the configuration may hold: the sections' and those of the objects that it chooses.
std::vector<Field> keys_of(const Config& config, const ConfigContext& context) {
    auto fields = config_fields(context);
    for (const auto& selector : selectors()) {
        for (auto& option : option_fields(context, selector, selector.chosen(config)))
            fields.push_back(std::move(option));
    }
    return fields;
}

}  // namespace

void reset_ineffective_own_keys(Config& config, const ConfigContext& context, Origins& origins) {
    const auto fields = keys_of(config, context);
    // One that goes may take others with it: without data.train there is no use for tokenizer.kind.
    for (bool again = true; again;) {
        again = false;
        for (const auto& field : fields) {
            const auto set = origins.find(field.path());
            if (set == origins.end() || !set->second.own || field.without_effect(config) == nullptr) continue;
            field.set(config, field.default_value);
            origins.erase(set);
            again = true;
        }
    }
}

void check_config(const Config& config, const ConfigContext& context, const Origins& origins) {
    const auto fields = keys_of(config, context);
    for (const auto& field : fields) {
        const auto set = origins.find(field.path());
        const auto* missing = set == origins.end() ? nullptr : field.without_effect(config);
        if (missing == nullptr) continue;
        const auto decider =
            std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.path() == missing->decider; });
        throw ConfigError(set->second.place + ": " + field.path() + " has no effect here: it needs " + missing->need +
                          ", and " + missing->decider + " is " + value_text(decider->get(config)) +
                          "; remove it (null takes back what an included file has set)");
    }
    Checks(config, context, origins).check_relations();
}

}  // namespace longbow
