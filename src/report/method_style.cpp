#include "longbow/report/method_style.h"

#include <algorithm>
#include <cctype>

#include "longbow/config/context.h"

namespace longbow {

std::string method_title(const std::string& name) {
    for (const auto& method : registered_config_context().position_methods) {
        if (method.name == name && !method.title.empty()) return method.title;
    }
    std::string title = name;
    if (!title.empty()) title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
    return title;
}

const std::vector<std::string>& styled_methods() {
    static const std::vector<std::string> methods{"alibi", "sinusoidal", "rotary", "t5"};
    return methods;
}

std::size_t method_style(const std::string& name) {
    const auto& methods = styled_methods();
    return static_cast<std::size_t>(std::find(methods.begin(), methods.end(), name) - methods.begin());
}

}  // namespace longbow
