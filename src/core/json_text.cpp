#include "longbow/core/json_text.h"

#include "longbow/core/utf8.h"

namespace longbow {

namespace {

Json escaped(const Json& json) {
    if (json.is_string()) return escape_invalid_utf8(json.get_ref<const std::string&>());
    if (json.is_array()) {
        Json items = Json::array();
        for (const auto& item : json) items.push_back(escaped(item));
        return items;
    }
    if (json.is_object()) {
        Json members = Json::object();
        for (const auto& [key, value] : json.items()) members[escape_invalid_utf8(key)] = escaped(value);
        return members;
    }
    return json;
}

}  // namespace

std::string json_text(const Json& json, int indent) {
    try {
        return json.dump(indent);
    } catch (const Json::type_error&) {  // some string is not UTF-8
        return escaped(json).dump(indent);
    }
}

Json parse_json(std::string_view text) {
    // Parentheses, because braces would make a list that holds the value.
    if (text.find('\0') != std::string_view::npos) return Json(Json::value_t::discarded);
    return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace longbow
