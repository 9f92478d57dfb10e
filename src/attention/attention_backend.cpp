// Chooses a registered back-end by its name or by `auto`.
#include "longbow/attention/attention_backend.h"

#include <algorithm>
#include <utility>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr const char* kAuto = "auto";

Registry<AttentionBackendEntry>& registry() {
    static Registry<AttentionBackendEntry> backends("attention back-end");
    return backends;
}

// Most preferred first, equals by name.
std::vector<const AttentionBackendEntry*> by_preference() {
    std::vector<const AttentionBackendEntry*> sorted;
    for (const auto& entry : registry().entries()) sorted.push_back(&entry);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto* a, const auto* b) { return a->preference > b->preference; });
    return sorted;
}

const ContextSource context_source([](ConfigContext& context) {
    Variant automatic{.name = kAuto, .help = "The first of those below that can serve the model, which is the fastest"};
    std::vector<Variant> variants;
    for (const auto* entry : by_preference()) {
        automatic.reads.insert(automatic.reads.end(), entry->reads.begin(), entry->reads.end());
        variants.push_back({entry->name, entry->help, entry->options, false, entry->reads});
    }
    context.attention_backends.push_back(std::move(automatic));
    context.attention_backends.insert(context.attention_backends.end(), variants.begin(), variants.end());
});

}  // namespace

bool register_attention_backend(AttentionBackendEntry entry) { return registry().add(std::move(entry)); }

std::vector<std::string> attention_backend_names() {
    std::vector<std::string> names;
    for (const auto* entry : by_preference()) names.push_back(entry->name);
    return names;
}

std::unique_ptr<AttentionBackend> make_attention_backend(const std::string& name, const AttentionRequest& request) {
    std::vector<std::string> able;
    std::string reason;
    for (const auto* entry : by_preference()) {
        auto refusal = entry->refuses ? entry->refuses(request) : std::string();
        if (refusal.empty()) {
            if (name == entry->name || (name == kAuto && (!entry->chosen_by_auto || entry->chosen_by_auto(request)))) {
                auto complete = request;
                fill_defaults(complete.options, entry->options);
                auto backend = entry->make(complete);
                backend->name_ = entry->name;
                return backend;
            }
            able.push_back(entry->name);
        } else if (name == entry->name) {
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
