// The post-processor of a tokenizer.json, as far as ids go: what it puts around a text.
#pragma once

#include <optional>
#include <vector>

#include "component.h"
#include "longbow/text/tokenizer.h"

namespace longbow::hf {

struct PostProcessor {
    std::vector<TokenId> prefix, suffix;
};

// Null: nothing. Throws DataError for what is not known.
PostProcessor read_post_processor(std::optional<Component> component);

}  // namespace longbow::hf
