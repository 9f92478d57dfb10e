#include "component.h"

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"

namespace longbow::hf {

Component::Component(const Json& json, std::string file, std::string path)
    : json_(json), file_(std::move(file)), path_(std::move(path)) {
    if (!json_.is_object()) refuse("an object was expected");
    if (find("type") != nullptr) type_ = text("type");
}

const Json* Component::find(const std::string& key) {
    read_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
}

std::string Component::text(const std::string& key) {
    const auto* found = find(key);
    if (found == nullptr || !found->is_string()) refuse(key + ": a text was expected");
    return found->get<std::string>();
}

bool Component::flag(const std::string& key, std::optional<bool> otherwise) {
    const auto* found = find(key);
    if (found == nullptr && otherwise) return *otherwise;
    if (found == nullptr || !found->is_boolean()) refuse(key + ": true or false was expected");
    return found->get<bool>();
}

std::int64_t Component::number(const std::string& key, std::int64_t most) {
    const auto* found = find(key);
    if (found == nullptr || !found->is_number_unsigned() ||
        found->get<std::uint64_t>() > static_cast<std::uint64_t>(most))
        refuse(key + ": a whole number from 0 to " + with_commas(most) + " was expected");
    return found->get<std::int64_t>();
}

char32_t Component::character(const std::string& key) {
    const auto found = text(key);
    if (found.empty() || decode_utf8(found).length != found.size()) refuse(key + ": one character was expected");
    return decode_utf8(found).value;
}

std::optional<Component> Component::object(const std::string& key) {
    const auto* found = find(key);
    if (found == nullptr) return std::nullopt;
    return Component(*found, file_, path_.empty() ? key : path_ + '.' + key);
}

std::vector<Component> Component::objects(const std::string& key) {
    std::vector<Component> all;
    const auto* found = find(key);
    if (found == nullptr) return all;
    if (!found->is_array()) refuse(key + ": a list was expected");
    const auto prefix = (path_.empty() ? key : path_ + '.' + key) + '[';
    for (const auto& entry : *found) all.emplace_back(entry, file_, prefix + std::to_string(all.size()) + ']');
    return all;
}

void Component::refuse(const std::string& what) const {
    throw DataError(file_ + ": " + (path_.empty() ? "" : path_ + ": ") + what);
}

void Component::refuse_type(const std::vector<std::string>& known) const {
    refuse((type_.empty() ? "it has no type" : "the type \"" + type_ + "\" is not known here") + "; known are " +
           join(known, ", "));
}

void Component::check_all_read() const {
    for (const auto& [key, value] : json_.items()) {
        if (!read_.contains(key)) refuse("\"" + key + "\" is not known here, and it may change ids");
    }
}

}  // namespace longbow::hf
