#include "metaspace.h"

#include <map>

#include "longbow/core/utf8.h"

namespace longbow::hf {

Metaspace read_metaspace(Component& component) {
    static const std::map<std::string, Prepend> schemes{
        {"first", Prepend::first}, {"never", Prepend::never}, {"always", Prepend::always}};
    Metaspace rule;
    append_utf8(rule.replacement, component.character("replacement"));
    if (component.find("prepend_scheme") != nullptr) {
        const auto name = component.text("prepend_scheme");
        const auto scheme = schemes.find(name);
        if (scheme == schemes.end()) component.refuse("the prepend_scheme \"" + name + "\" is not known here");
        rule.prepend = scheme->second;
    }
    // Older files have this key in place of the scheme.
    if (!component.flag("add_prefix_space", true)) {
        if (component.find("prepend_scheme") != nullptr && rule.prepend != Prepend::never)
            component.refuse("add_prefix_space contradicts prepend_scheme");
        rule.prepend = Prepend::never;
    }
    rule.split = component.flag("split", true);
    component.ignore("str_rep");
    return rule;
}

}  // namespace longbow::hf
