// The list of protocols. They register at program start in no particular order, and are kept sorted, so that no help text depends on the
// linker.
#include "longbow/eval/protocol.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// A function-local static, since registrations run before main in any order of files.
std::vector<EvalProtocol>& protocols() {
    static std::vector<EvalProtocol> list;
    return list;
}

const EvalProtocol* find_protocol(const std::string& name) {
    const auto& list = protocols();
    const auto found = std::find_if(list.begin(), list.end(), [&](const EvalProtocol& one) { return one.name == name; });
    return found == list.end() ? nullptr : &*found;
}

}  // namespace

bool register_protocol(EvalProtocol protocol) {
    if (find_protocol(protocol.name) != nullptr)
        throw UsageError("protocol " + protocol.name + " is registered twice; give one of them another name");
    auto& list = protocols();
    const auto place = std::lower_bound(list.begin(), list.end(), protocol.name,
                                        [](const EvalProtocol& one, const std::string& name) { return one.name < name; });
    list.insert(place, std::move(protocol));
    return true;
}

const std::vector<EvalProtocol>& eval_protocols() { return protocols(); }

std::vector<std::string> protocol_names() {
    std::vector<std::string> names;
    for (const auto& protocol : protocols()) names.push_back(protocol.name);
    return names;
}

const EvalProtocol& protocol_named(const std::string& name) {
    if (const auto* found = find_protocol(name)) return *found;
    const auto names = protocol_names();
    const auto near = nearest(name, names);
    throw UsageError("unknown protocol '" + name + "'" + (near ? " (did you mean '" + *near + "'?)" : "") + ": known are " +
                     join(names, ", "));
}

bool protocol_scores_all(const std::string& name) {
    const auto* found = find_protocol(name);
    return found != nullptr && found->scores_all;
}

}  // namespace longbow
