#include "value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "position_layers.h"

namespace longbow {

namespace {

using Kind = RawValue::Kind;

class Parser {
public:
    Parser(const Field& field, const Assignment& assignment) : field_(field), assignment_(assignment) {}

    [[noreturn]] void refuse(const std::string& what) const {
        throw ConfigError(assignment_.origin + ": " + field_.path() + ": " + what);
    }

    // YAML leaves types open ("010" is 8 to some readers and 10 to others, "1e3" a number or a text). Here only one
    // spelling is accepted.
    std::int64_t integer(const RawValue& raw) const {
        const std::string& text = scalar(raw, "an integer");
        const std::size_t sign = text[0] == '-' || text[0] == '+' ? 1 : 0;
        const bool digits = text.size() > sign && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(sign),
                                                              text.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (raw.quoted || !digits) {
            refuse("expected an integer, got " + shown(raw) +
                   " (digits only: no point, exponent, separator or suffix)");
        }
        if (text[sign] == '0' && text.size() > sign + 1)
            refuse("expected an integer without leading zeros, got " + shown(raw));
        std::int64_t value = 0;
        const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
        if (std::from_chars(begin, text.data() + text.size(), value).ec != std::errc{})
            refuse(text + " does not fit in 64 bits");
        bounds(static_cast<double>(value), text);
        return value;
    }

    double number(const RawValue& raw) const {
        const std::string& text = scalar(raw, "a number");
        double value = 0;
        const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
        const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
        if (raw.quoted || end != text.data() + text.size() || error == std::errc::invalid_argument ||
            std::isnan(value)) {
            refuse("expected a number, got " + shown(raw));
        }
        if (error != std::errc{} || std::isinf(value)) refuse(text + " is not a finite number that a double can hold");
        bounds(value, text);
        return value;
    }

    bool boolean(const RawValue& raw) const {
        const std::string& text = scalar(raw, "true or false");
        if (raw.quoted || (text != "true" && text != "false")) refuse("expected true or false, got " + shown(raw));
        return text == "true";
    }

    std::string allowed_text(const RawValue& raw) const {
        if (raw.kind != Kind::scalar) refuse("expected a text, got " + shown(raw));
        const auto& allowed = field_.allowed;
        if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), raw.text) == allowed.end()) {
            const auto near = nearest(raw.text, allowed);
            refuse("'" + raw.text + "' is none of " + join(allowed, ", ") +
                   (near ? "; did you mean '" + *near + "'?" : ""));
        }
        auto text = unescape_name(raw.text);
        if (text.find('\0') != std::string::npos) refuse("a text cannot hold the character NUL");
        return text;
    }

    Duration duration(const RawValue& raw) const {
        const std::string& text = scalar(raw, "a duration");
        Duration value;
        try {
            value = Duration::parse(text);
        } catch (const ConfigError& error) {
            refuse(error.what());
        }
        bounds(value.value, text);
        return value;
    }

    template <class T, class Read>
    std::vector<T> list(const RawValue& raw, Read read) const {
        if (raw.kind == Kind::map) refuse("expected a list, got a mapping");
        std::vector<T> values;
        if (raw.kind == Kind::scalar) values.push_back(read(raw));  // a single element needs no brackets
        for (const auto& item : raw.items) values.push_back(read(item));
        if (field_.no_repeats) {
            std::set<T> seen;
            for (const auto& value : values) {
                if (!seen.insert(value).second) refuse(value_text(FieldValue(value)) + " is in the list twice");
            }
        }
        return values;
    }

private:
    static std::string shown(const RawValue& raw) {
        switch (raw.kind) {
            case Kind::null: return "nothing";
            case Kind::list: return "a list";
            case Kind::map: return "a mapping";
            case Kind::scalar: break;
        }
        return raw.quoted ? "the text \"" + raw.text + "\"" : "'" + raw.text + "'";
    }

    const std::string& scalar(const RawValue& raw, const std::string& expected) const {
        if (raw.kind != Kind::scalar || raw.text.empty()) refuse("expected " + expected + ", got " + shown(raw));
        return raw.text;
    }

    void bounds(double value, const std::string& text) const {
        const bool low = field_.minimum && (field_.open_minimum ? value <= *field_.minimum : value < *field_.minimum);
        const bool high = field_.maximum && (field_.open_maximum ? value >= *field_.maximum : value > *field_.maximum);
        if (low || high) refuse(text + " is out of range, it must be " + range_text(field_));
    }

    const Field& field_;
    const Assignment& assignment_;
};

// Returns whether all YAML readers take the text as it is. All other texts are written in JSON's quotes, which are also
// YAML's. Readers of YAML 1.1 (PyYAML) interpret more bare words than yaml-cpp: truth values in any case, and numbers
// that begin with a point (.5, .inf).
bool plain(const std::string& text) {
    static const std::set<std::string> special = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    std::string lower;
    for (const char c : text) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    if (text.empty() || special.count(lower) > 0 || (text[0] == '.' && text.find("./") != 0)) return false;
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_' || c == '.';
    };
    const auto safe = [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '@' || c == '=';
    };
    return letter(text[0]) && std::all_of(text.begin(), text.end(), safe);
}

// YAML 1.1 (PyYAML) takes a number with an exponent for a text unless it has a point: it needs 1.0e-08, not 1e-08.
std::string yaml_number(double value) {
    std::string text = number_text(value);
    const auto exponent = text.find('e');
    if (exponent != std::string::npos && text.find('.') == std::string::npos) text.insert(exponent, ".0");
    return text;
}

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;  // C++20 implies this, but clang 14 does not know it

}  // namespace

FieldValue parse_value(const Field& field, const Assignment& assignment) {
    const Parser parser(field, assignment);
    const RawValue& raw = assignment.value;
    return std::visit(Overloaded{
                          [&](bool) { return FieldValue(parser.boolean(raw)); },
                          [&](std::int64_t) { return FieldValue(parser.integer(raw)); },
                          [&](double) { return FieldValue(parser.number(raw)); },
                          [&](const std::string&) { return FieldValue(parser.allowed_text(raw)); },
                          [&](const Duration&) { return FieldValue(parser.duration(raw)); },
                          [&](const std::vector<std::int64_t>&) {
                              return FieldValue(parser.list<std::int64_t>(
                                  raw, [&](const RawValue& item) { return parser.integer(item); }));
                          },
                          [&](const std::vector<std::string>&) {
                              return FieldValue(parser.list<std::string>(
                                  raw, [&](const RawValue& item) { return parser.allowed_text(item); }));
                          },
                          // Only what knows the methods can read their options: parse_layers().
                          [&](const std::vector<PositionLayer>&) -> FieldValue {
                              throw Error(field.path() + " is not a plain value");
                          },
                      },
                      field.default_value);
}

std::string type_name(const FieldValue& value) {
    static constexpr const char* names[] = {"true or false", "integer",          "number",        "text",
                                            "duration",      "list of integers", "list of texts", "list of mappings"};
    return names[value.index()];
}

std::string value_text(const FieldValue& value) {
    const auto quoted = [](const std::string& text) { return plain(text) ? text : Json(escape_name(text)).dump(); };
    return std::visit(Overloaded{
                          [](bool v) { return std::string(v ? "true" : "false"); },
                          [](std::int64_t v) { return std::to_string(v); },
                          [](double v) { return yaml_number(v); },
                          [&](const std::string& v) { return quoted(v); },
                          [](const Duration& v) { return v.text(); },
                          [](const std::vector<std::int64_t>& v) {
                              std::vector<std::string> items;
                              for (const auto item : v) items.push_back(std::to_string(item));
                              return "[" + join(items, ", ") + "]";
                          },
                          [&](const std::vector<std::string>& v) {
                              std::vector<std::string> items;
                              for (const auto& item : v) items.push_back(quoted(item));
                              return "[" + join(items, ", ") + "]";
                          },
                          [](const std::vector<PositionLayer>& v) { return layers_text(v); },
                      },
                      value);
}

Json value_json(const FieldValue& value) {
    return std::visit(Overloaded{[](const Duration& v) { return Json(v.text()); },
                                 [](const std::string& v) { return Json(escape_name(v)); },
                                 [](const std::vector<std::string>& v) {
                                     Json items = Json::array();
                                     for (const auto& item : v) items.push_back(escape_name(item));
                                     return items;
                                 },
                                 [](const std::vector<PositionLayer>& v) { return layers_json(v); },
                                 [](const auto& v) { return Json(v); }},
                      value);
}

}  // namespace longbow
