// Chooses a back-end by its name or by `auto`.
#include "longbow/attention/attention_backend.h"

#include <array>

#include "backends.h"
#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// Fastest first: `auto` takes the first that serves the request.
constexpr std::array kMakers = {&make_fused_attention, &make_sdpa_attention, &make_reference_attention};

const ContextSource context_source([](ConfigContext& context) {
    context.attention_backends = attention_backend_names();
});

}  // namespace

std::vector<std::string> attention_backend_names() {
    std::vector<std::string> names;
    for (const auto make : kMakers) {
        names.push_back(make({})->name());
    }
    return names;
}

std::unique_ptr<AttentionBackend> make_attention_backend(const std::string& name, const AttentionRequest& request) {
    std::vector<std::string> able;
    std::string reason;
    for (const auto make : kMakers) {
        auto backend = make(request);
        auto refusal = backend->refuses(request);
        if (refusal.empty()) {
            if (name == backend->name() || (name == "auto" && backend->chosen_by_auto(request))) {
                return backend;
            }
            able.push_back(backend->name());
        } else if (name == backend->name()) {
            reason = std::move(refusal);
        }
    }
    const std::string rest =
        able.empty() ? "no back-end serves this configuration" : "these can serve it: auto, " + join(able, ", ");
    if (!reason.empty()) {
        throw ConfigError("attention.backend: " + name + " cannot serve this configuration: " + reason + "; " + rest);
    }
    throw ConfigError("attention.backend: unknown back-end \"" + name + "\"; " + rest);
}

}  // namespace longbow
