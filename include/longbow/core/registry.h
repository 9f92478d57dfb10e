// The objects of one kind that announce themselves from files of their own: position methods, attention back-ends,
// optimizers, schedules, kinds of tokenizers, protocols.
//
// They register at program start in no particular order and are kept sorted by name, so that no help text depends on
// the linker. A room keeps its registry as a function-local static, because registrations run before main() in any
// order of files.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "longbow/core/error.h"

namespace longbow {

// Entry has a member `name`. Failure is the error thrown when two entries have the same name.
template <class Entry, class Failure = ConfigError>
class Registry {
public:
    // `kind` names the kind of object in messages, e.g. "optimizer".
    explicit Registry(std::string kind) : kind_(std::move(kind)) {}

    // Returns true, so that a registration can initialize a variable.
    bool add(Entry entry) {
        const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry.name,
                                            [](const Entry& one, const std::string& name) { return one.name < name; });
        if (place != entries_.end() && place->name == entry.name) {
            throw Failure(kind_ + " \"" + entry.name + "\" is registered twice; give one of them another name");
        }
        entries_.insert(place, std::move(entry));
        return true;
    }

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& entry : entries_) names.push_back(entry.name);
        return names;
    }

    // Returns null for a name that is not registered.
    [[nodiscard]] const Entry* find(const std::string& name) const {
        for (const auto& entry : entries_) {
            if (entry.name == name) return &entry;
        }
        return nullptr;
    }

private:
    std::string kind_;
    std::vector<Entry> entries_;
};

}  // namespace longbow
