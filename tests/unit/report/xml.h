// Reads the XML that the program writes, strictly: it accepts elements, attributes and text, and nothing else. Throws
// std::runtime_error.
#pragma once

#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

struct XmlElement {
    std::string name, text;
    std::map<std::string, std::string> attributes;
    std::vector<XmlElement> children;
};

class XmlParser {
public:
    explicit XmlParser(std::string_view text) : text_(text) {}
    XmlElement whole() {
        auto root = element();
        white();
        if (at_ != text_.size()) fail("something after the root");
        return root;
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error(what + " at byte " + std::to_string(at_) + ": " + std::string(text_.substr(at_, 40)));
    }
    [[nodiscard]] char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(std::string_view wanted) {
        if (text_.substr(at_, wanted.size()) != wanted) return false;
        at_ += wanted.size();
        return true;
    }
    void expect(std::string_view wanted) {
        if (!take(wanted)) fail("expected " + std::string(wanted));
    }
    void white() {
        while (std::isspace(static_cast<unsigned char>(next())) != 0) ++at_;
    }
    std::string name() {
        const auto begin = at_;
        while (std::isalnum(static_cast<unsigned char>(next())) != 0 || next() == '-' || next() == ':') ++at_;
        if (begin == at_) fail("expected a name");
        return std::string(text_.substr(begin, at_ - begin));
    }
    std::string characters(std::string_view ends) {
        std::string out;
        while (at_ < text_.size() && ends.find(next()) == std::string_view::npos) {
            const auto c = static_cast<unsigned char>(next());
            if (c == '<' || (c < 0x20 && c != '\n')) fail("a character that may not stand here");
            if (c == '&') {
                bool known = false;
                for (const auto& [entity, value] :
                     {std::pair{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}}) {
                    if (known || !take(entity)) continue;
                    out += value;
                    known = true;
                }
                if (!known) fail("an entity that XML does not know");
            } else {
                out += next();
                ++at_;
            }
        }
        return out;
    }
    XmlElement element() {
        XmlElement out;
        expect("<");
        out.name = name();
        for (white(); next() != '>' && next() != '/'; white()) {
            const auto key = name();
            expect("=\"");
            if (!out.attributes.emplace(key, characters("\"")).second) fail("an attribute twice");
            expect("\"");
        }
        if (take("/>")) return out;
        expect(">");
        while (!take("</")) {
            if (at_ == text_.size()) fail("no end of " + out.name);
            if (next() == '<')
                out.children.push_back(element());
            else
                out.text += characters("<");
        }
        expect(out.name + ">");
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

inline XmlElement parse_xml(std::string_view text) { return XmlParser(text).whole(); }

// Returns all elements of this name below `root`, in document order.
inline std::vector<const XmlElement*> all_of(const XmlElement& root, std::string_view name) {
    std::vector<const XmlElement*> found;
    for (const auto& child : root.children) {
        if (child.name == name) found.push_back(&child);
        for (const auto* below : all_of(child, name)) found.push_back(below);
    }
    return found;
}
inline std::vector<const XmlElement*> all_of(XmlElement&& root, std::string_view name) = delete;

}  // namespace longbow
