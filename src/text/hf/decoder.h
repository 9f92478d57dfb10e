// The decoder of a tokenizer.json: tokens to text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "component.h"

namespace longbow::hf {

class DecoderPart {
public:
    virtual ~DecoderPart() = default;
    virtual void apply(std::vector<std::string>& tokens) const = 0;
};

class Decoder {
public:
    // Null: tokens are joined by spaces. Throws DataError for what is not known.
    explicit Decoder(std::optional<Component> component);
    // Bytes that are not UTF-8 stay as they are.
    [[nodiscard]] std::string decode(std::vector<std::string> tokens) const;

private:
    void add(Component component, int depth);
    std::vector<std::unique_ptr<DecoderPart>> parts_;
    bool none_ = false;
};

}  // namespace longbow::hf
