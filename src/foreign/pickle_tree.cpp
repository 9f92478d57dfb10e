#include "longbow/foreign/pickle_tree.h"

#include <fmt/core.h>

#include <algorithm>

namespace longbow {

namespace {

using Kind = PickleValue::Kind;

struct DtypeFacts {
    const char* name;
    std::size_t size;
};
constexpr std::size_t kShown = 60;  // bytes of foreign text shown in a message

// These are in the order of PickleDtype.
constexpr DtypeFacts kDtypes[] = {{"unknown", 0}, {"float64", 8},   {"float32", 4},    {"float16", 2}, {"bfloat16", 2},
                                  {"int64", 8},   {"int32", 4},     {"int16", 2},      {"int8", 1},    {"uint8", 1},
                                  {"bool", 1},    {"complex64", 8}, {"complex128", 16}};

}  // namespace

std::size_t size_of(PickleDtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)].size; }
const char* name_of(PickleDtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)].name; }

std::int64_t PickleTensor::elements() const {
    std::int64_t count = std::find(sizes.begin(), sizes.end(), 0) == sizes.end() ? 1 : 0;
    for (const auto size : sizes) count *= count == 0 ? 0 : size;
    return count;
}

// Returns a dict's entry by its text key. Of equal keys the last counts, as in Python.
PickleId PickleTree::entry(PickleId dict, std::string_view key) const {
    const auto& items = values[dict].items;
    for (std::size_t i = items.size() / 2; i-- > 0;) {
        const auto& name = values[items[2 * i]];
        if (name.kind == Kind::text && name.text == key) return items[2 * i + 1];
    }
    return kNoPickle;
}

// Returns the value inside omegaconf's AnyNode, StringNode .., whose state is {"_val": value, ..}.
PickleId PickleTree::unwrapped(PickleId id) const {
    if (id != kNoPickle && values[id].kind == Kind::object && values[id].state != kNoPickle) {
        const PickleId inner = entry(values[id].state, "_val");
        if (inner != kNoPickle) return inner;
    }
    return id;
}

PickleId PickleTree::find(PickleId container, std::string_view key) const {
    if (container == kNoPickle) return kNoPickle;
    const auto& value = values.at(container);
    if (value.kind != Kind::dict && value.kind != Kind::object) return kNoPickle;
    if (const PickleId found = entry(container, key); found != kNoPickle) return unwrapped(found);
    if (value.kind != Kind::object || value.state == kNoPickle) return kNoPickle;
    if (const PickleId found = entry(value.state, key); found != kNoPickle) return unwrapped(found);
    const PickleId content = entry(value.state, "_content");  // omegaconf's DictConfig
    return content == kNoPickle || values[content].kind != Kind::dict ? kNoPickle : unwrapped(entry(content, key));
}

std::optional<std::int64_t> PickleTree::integer(PickleId container, std::string_view key) const {
    const PickleId id = find(container, key);
    if (id == kNoPickle || (values[id].kind != Kind::integer && values[id].kind != Kind::boolean)) return std::nullopt;
    return values[id].integer;
}

std::optional<double> PickleTree::real(PickleId container, std::string_view key) const {
    const PickleId id = find(container, key);
    if (id == kNoPickle || (values[id].kind != Kind::integer && values[id].kind != Kind::real)) return std::nullopt;
    return values[id].kind == Kind::real ? values[id].real : static_cast<double>(values[id].integer);
}

std::optional<bool> PickleTree::boolean(PickleId container, std::string_view key) const {
    const PickleId id = find(container, key);
    if (id == kNoPickle || (values[id].kind != Kind::integer && values[id].kind != Kind::boolean)) return std::nullopt;
    return values[id].integer != 0;
}

std::optional<std::string> PickleTree::text(PickleId container, std::string_view key) const {
    const PickleId id = find(container, key);
    if (id == kNoPickle || values[id].kind != Kind::text) return std::nullopt;
    return values[id].text;
}

std::string PickleTree::describe(PickleId id) const {
    if (id == kNoPickle) return "nothing";
    const auto& value = values.at(id);
    switch (value.kind) {
        case Kind::none: return "None";
        case Kind::boolean: return "a bool";
        case Kind::integer:
        case Kind::big_integer: return "an integer";
        case Kind::real: return "a float";
        case Kind::text: return "a string";
        case Kind::bytes: return "bytes";
        case Kind::list: return "a list";
        case Kind::tuple: return "a tuple";
        case Kind::set: return "a set";
        case Kind::dict: return "a dict";
        case Kind::global: return "the name " + quote_foreign(value.text);
        case Kind::object: break;
        case Kind::storage: return "a storage";
        case Kind::tensor: return "a tensor";
    }
    const auto& callee = values.at(value.callee);
    if (callee.kind != Kind::global) return "an object of a nameless class";
    std::string name = callee.text;
    std::replace(name.begin(), name.end(), ' ', '.');
    return "an object of class " + quote_foreign(name);
}

std::string quote_foreign(std::string_view foreign) {
    std::string text = "\"";
    for (const char c : foreign.substr(0, kShown)) {
        if (c >= ' ' && c <= '~') {
            if (c == '"' || c == '\\') text += '\\';  // else a name could end its quotes, or imitate an escape
            text += c;
        } else {
            text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return text + (foreign.size() > kShown ? "..\"" : "\"");
}

bool is_plain(std::string_view foreign) {
    return foreign.size() <= kShown && quote_foreign(foreign).size() == foreign.size() + 2;
}

}  // namespace longbow
