#include "pattern.h"

#include "longbow/core/utf8.h"

namespace longbow::hf {

Pattern::Pattern(Component& component) {
    const auto* found = component.find("pattern");
    const auto text_at = [&](const char* key) {
        const bool there = found != nullptr && found->is_object() && found->size() == 1 && found->contains(key);
        return there && found->at(key).is_string() ? &found->at(key).get_ref<const std::string&>() : nullptr;
    };
    const auto* regex = text_at("Regex");
    const auto* text = regex != nullptr ? regex : text_at("String");
    if (text == nullptr) component.refuse("pattern: {\"String\": text} or {\"Regex\": text} was expected");
    if (text->empty()) component.refuse("pattern: it is empty");
    text_ = *text;
    if (regex == nullptr) return;
    try {
        regex_.emplace(text_);
    } catch (const RegexError& error) {
        component.refuse("pattern: the regular expression \"" + text_.substr(0, 200) +
                         "\" cannot be used here: " + error.what());
    }
}

void Pattern::find(std::string_view text, std::vector<Span>& matches) const {
    if (regex_) {
        regex_->find(text, matches);
        return;
    }
    for (auto at = text.find(text_); at != std::string_view::npos; at = text.find(text_, at + text_.size()))
        matches.push_back({at, at + text_.size(), true});
}

bool Pattern::replace(std::string_view text, std::string_view content, std::string& out) const {
    out.clear();
    std::size_t end = 0;
    if (!regex_) {
        for (auto at = text.find(text_); at != std::string_view::npos; at = text.find(text_, end)) {
            out += text.substr(end, at - end);
            out += content;
            end = at + text_.size();
        }
        if (end == 0) return false;
        out += text.substr(end);
        return true;
    }
    std::vector<Span> matches;
    regex_->find(text, matches);
    for (const auto& match : matches) {
        out += text.substr(end, match.begin - end);
        out += content;
        end = match.end;
    }
    out += text.substr(end);
    return !matches.empty();
}

std::optional<char32_t> Pattern::character() const {
    const auto c = decode_utf8(text_);
    return regex_ || c.length != text_.size() ? std::nullopt : std::optional(c.value);
}

}  // namespace longbow::hf
