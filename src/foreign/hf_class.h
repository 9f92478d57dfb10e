// Classes of transformers that a model of ours is exported to. A class is one file: which configuration of ours it
// computes, its config.json, and where its tensors are. It registers itself; no other file knows it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "hf_family.h"
#include "longbow/foreign/hf_export.h"

namespace longbow {

struct HfClass {
    std::string name;        // model_type
    std::string class_name;  // "MptForCausalLM"
    std::string holds;       // "ALiBi; layernorm, gelu, no biases, a feed-forward layer of 4 times the width"
    int order = 0;           // the least of those that hold a model is taken
    std::string prefix;      // before all names but the head's
    std::string embedding, head;
    // Turns `theirs`, which is ours with every part that needs a key of its own put back to the usual (usual_model()),
    // into the configuration nearest to `ours` that the class computes: what an import of the exported folder gives.
    void (*settle)(const Config& ours, Config& theirs) = nullptr;
    // Lists where the tensors of a model with such a configuration are, but embedding and head: the importer's rules
    // where there are some.
    void (*place)(const HfSettings& theirs, TensorRules& rules) = nullptr;
    // Adds the class's keys to config.json.
    void (*describe)(const Config& theirs, Json& json) = nullptr;
};

// All classes, in their order.
std::vector<const HfClass*> hf_classes_in_order();
bool register_hf_class(HfClass one);

// Stands at namespace scope in the class's file. The linker keeps it because the room is linked whole.
#define LONGBOW_REGISTER_HF_CLASS(...) \
    static const bool longbow_hf_class_registered = ::longbow::register_hf_class(__VA_ARGS__)

// Returns the settings by which a model differs from what a class computes, each as "model.activation: relu (it has
// gelu)". Differences that change no result, or that tensors make up for (a missing bias, the order of pairs), are
// left out. Both configurations are complete.
std::vector<std::string> differences_from_class(const Config& ours, const Config& theirs);

// Returns what says the same as `config` with fewer zeros: lengths that default to train.length are filled in.
Config resolved_for_export(Config config);
// Returns the start of HfClass::settle().
Config usual_model(const Config& ours);

// --- What several classes share.

// The rules of the family of this name (hf_family.h).
void place_as_family(const char* family, const HfSettings& theirs, TensorRules& rules);
// Whether the model has this position method in every layer.
bool has_position(const Config& config, const char* method);
// Sets learned positions whose first row is `first`. A model of ours without positions becomes one whose table is 0.
void settle_learned(const Config& ours, Config& theirs, std::int64_t first);
// Puts the options of the method of `theirs` that are not among the known ones back to their registered defaults: no
// other program has a key for them, so that a model that uses one must differ.
void reset_other_options(PositionConfig& theirs, const std::set<std::string>& known);
// The options of rotary positions and of ALiBi that exports know.
extern const std::set<std::string> kRotaryOptions, kAlibiOptions;
// Sets rotary positions in halves. `part`: the class may turn a part of each head.
void settle_rotary(const Config& ours, Config& theirs, bool part);
// One of the activations, or the first.
Activation one_of(Activation ours, std::initializer_list<Activation> known);
// Names of activations in config.json, with gates or without.
const char* hf_activation(Activation activation);
// The longest input for which a class has tables: the trained length, or where the model has no limit of its own as
// many times more.
std::int64_t longest_input(const Config& config, std::int64_t times = 1);

}  // namespace longbow
