#include "foreign_json.h"

#include <set>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

namespace {

constexpr int kDeepest = 64;

}  // namespace

Json parse_foreign_json(const std::string& text, const std::string& name) {
    if (text.find('\0') != std::string::npos) throw CheckpointError(name + ": it is not JSON: it has a NUL");
    std::vector<std::set<std::string>> keys;  // of the objects that are open
    std::string twice;
    bool deep = false;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (depth > kDeepest) deep = true;
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.empty()) {
            const auto key = parsed.get<std::string>();
            if (!keys.back().insert(key).second && twice.empty()) twice = key;
        }
        return !deep;
    };
    Json json;
    try {
        json = Json::parse(text, watch);
    } catch (const Json::exception& error) {
        throw CheckpointError(name + ": it is not JSON: " + error.what());
    }
    if (deep) throw CheckpointError(name + ": it is nested too deeply");
    if (!twice.empty()) {
        throw CheckpointError(name + ": it has the key " + quote_foreign(twice) +
                              " twice: remove the one that does not count");
    }
    if (!json.is_object()) throw CheckpointError(name + ": it is not a JSON object");
    return json;
}

Json read_foreign_json(const fs::path& path, std::uintmax_t limit) {
    std::error_code error;
    if (!fs::is_regular_file(path, error))
        throw CheckpointError(path.string() + (fs::exists(path, error) ? " is not a file" : " is missing"));
    if (fs::file_size(path, error) > limit || error) {
        throw CheckpointError(path.string() + ": it has more than the " + human_bytes(static_cast<double>(limit)) +
                              " that such a file can need");
    }
    std::string text;
    try {
        text = read_file(path);
    } catch (const Error& failure) {
        throw CheckpointError(failure.what());
    }
    return parse_foreign_json(text, path.string());
}

}  // namespace longbow
