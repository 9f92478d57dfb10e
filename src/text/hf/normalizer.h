// The normalizer of a tokenizer.json.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "component.h"

namespace longbow::hf {

class NormalizerPart {
public:
    virtual ~NormalizerPart() = default;
    // Writes the text as it becomes, or returns false where it stays as it is.
    virtual bool apply(std::string_view text, std::string& out) const = 0;
    // Whether a text may be cut before `after` and normalized in two parts. `following` comes next.
    virtual bool may_cut(char32_t before, char32_t after, char32_t following) const = 0;
    // Whether the first character of the text may come of another than the text's first.
    virtual bool moves_first() const { return false; }
    virtual bool inserts() const { return false; }
};

class Normalizer {
public:
    // Null: none. Throws DataError for what is not known.
    explicit Normalizer(std::optional<Component> component);
    [[nodiscard]] bool empty() const { return parts_.empty(); }
    // Returns the text as it becomes: `text` itself, or what it wrote to one of the buffers.
    std::string_view apply(std::string_view text, std::string (&buffers)[2]) const;
    // Whether a text may be cut here and normalized in two parts, and what the two characters become.
    bool may_cut(char32_t& before, char32_t& after, char32_t following) const;
    [[nodiscard]] bool moves_first() const;
    [[nodiscard]] bool inserts() const;

private:
    void add(Component component, int depth);
    std::vector<std::unique_ptr<NormalizerPart>> parts_;
};

}  // namespace longbow::hf
