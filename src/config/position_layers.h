// Reads and checks position.layers, whose entries are small configurations of their own: each names a method and may
// hold the keys that `position` would hold beside it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "longbow/config/fields.h"
#include "value.h"

namespace longbow {

struct ParsedLayers {
    std::vector<PositionLayer> layers;          // an option that was given its default is left out
    std::map<std::string, std::string> places;  // by key: "position.layers[0].options.base" -> "base.yaml:12"
};

// Reads a list of {method, window, options}; a single one needs no brackets. Throws ConfigError that names the line of
// the faulty key.
ParsedLayers parse_layers(const Field& field, const Assignment& assignment, const ConfigContext& context);

// Returns the configuration of a model whose layers all are as this entry says.
Config with_layer(Config config, const PositionLayer& layer, const ConfigContext& context);

// Returns the options of an entry's method as fields whose path begins with the entry's: "position.layers[0].options".
std::vector<Field> layer_option_fields(const ConfigContext& context, const PositionLayer& layer, std::size_t entry);

// Print entries as flow YAML and as JSON, without what is at its default.
std::string layers_text(const std::vector<PositionLayer>& layers);
Json layers_json(const std::vector<PositionLayer>& layers);
// Returns the JSON schema of the list. `key_schema` makes that of a key from its field.
Json layers_schema(const ConfigContext& context, const std::function<Json(const Field&)>& key_schema);

}  // namespace longbow
