// Rotary positions in config.json. Older files have rope_theta, rope_scaling {type or rope_type, ..} and
// partial_rotary_factor (GPT-NeoX: rotary_emb_base, rotary_pct) beside the other keys; newer ones have all of it in
// rope_parameters. All places are read, and those that are given must agree.
#pragma once

#include "hf_family.h"

namespace longbow {

// The names that a family reads beside its other keys. Where they are others than rope_theta and partial_rotary_factor,
// releases 4.46 to 4.57 of transformers wrote those too and read neither, so that they must repeat the same numbers.
struct RopeKeys {
    const char* base = "rope_theta";
    const char* part = "partial_rotary_factor";  // the part of each head that turns
    double usual = 1.0;                          // that part where the file gives none
    bool partial = false;                        // the family's class can turn a part; others have whole heads alone
};

// Sets position.method and its options. `length` is what the file calls the model's longest input (the length that
// dynamic scaling starts at). Throws CheckpointError for a scaling that Longbow does not have.
void set_rotary(HfKeys& keys, HfSettings& settings, const RopeKeys& names = {});

// The inverse: adds the keys of a model with rotary positions in halves to config.json, in the older and the newer
// form. `names` are the family's; `part` says whether it knows a part of each head. The options are complete.
void write_rotary(const Config& config, bool part, Json& json, const RopeKeys& names = {});

// Sets position.window, or position.layers where only some layers have the window. `window` is the number of keys
// that a query sees, and `first` the first layer with it, by the family's own keys; a list of layer_types overrules
// `first`. Without a window, layer_types must not ask for one.
void set_windows(HfKeys& keys, HfSettings& settings, std::optional<std::int64_t> window, std::int64_t first);

}  // namespace longbow
