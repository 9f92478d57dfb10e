// Tells whether a back-end had to round the bias. Everywhere else the bias is fp32, whatever the type of the queries.
#pragma once

#include <string>

#include "longbow/attention/attention_backend.h"

namespace longbow {

// A back-end that may add the bias in a narrower type than fp32 is also a RoundsBias.
class RoundsBias {
public:
    virtual ~RoundsBias() = default;
    // Returns "bf16" or "fp16" if the bias that was added last was rounded to this type, otherwise an empty text.
    [[nodiscard]] virtual std::string rounded_bias() const = 0;
};

inline std::string rounded_bias(const AttentionBackend& backend) {
    const auto* const rounds = dynamic_cast<const RoundsBias*>(&backend);
    return rounds != nullptr ? rounds->rounded_bias() : std::string();
}

}  // namespace longbow
