// Unicode's normalization forms as `tokenizers` 0.23 has them: by the tables of Unicode 9.0, to which what is newer is
// inert.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longbow::hf {

enum class Form { nfc, nfd, nfkc, nfkd };

class Normalization {
public:
    // The same object for each form, made once.
    static std::shared_ptr<const Normalization> of(Form form);
    explicit Normalization(Form form);

    // Writes the normalized text, or returns false where `text`, which is valid UTF-8, is so already. Its cost is
    // linear, but for runs of marks, which are sorted.
    bool apply(std::string_view text, std::string& out) const;
    // Whether a character stays as it is and neither joins nor crosses what stands before it.
    [[nodiscard]] bool is_plain(char32_t c) const { return c > 0x10FFFF || plain_[c]; }

private:
    void normalize(std::string_view text, std::string& out) const;

    bool compatible_, composed_;
    std::vector<bool> plain_;  // by code point
};

}  // namespace longbow::hf
