// Checks everything that can be refused before any work is done or file written.
#include <fmt/core.h>

#include <algorithm>

#include "longbow/attention/attention_backend.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/data/update_share.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/language_model.h"
#include "longbow/position/draw.h"
#include "longbow/position/position_method.h"
#include "longbow/prepare/prepare.h"
#include "session.h"
#include "store.h"

namespace longbow {

namespace {

// Adds to a message about a key, "KEY: WHAT", the place where the key was set. The options of an entry of
// position.layers have none of their own.
std::string placed(const std::string& message, const Origins& origins) {
    const auto key = message.substr(0, message.find(':'));
    if (const auto set = origins.find(key); set != origins.end()) return set->second.place + ": " + message;
    const auto layers = origins.find("position.layers");
    if (layers == origins.end() || !starts_with(key, "position.")) return message;
    return layers->second.place + ": position.layers: " + message;
}

void check_lengths(const TrainRequest& request) {
    const auto& config = request.config;
    // An existing store may have no validation split; the session checks the lengths when it has opened the store.
    if (store_exists(request) || config.data.valid.empty()) return;
    const auto limit = make_positions(config)->max_length();
    for (const auto length : validation_lengths(config)) {
        if (limit > 0 && length > limit) {
            throw ConfigError(fmt::format(
                "eval.lengths: position method '{}' of this model ends at {} ({}), and a validation at {} is asked for",
                config.position.method_names(), limit, length_limit_key(config.position), length));
        }
    }
}

}  // namespace

// The vocabulary does not matter here and need not be known.
void check_parts(const LoadedConfig& loaded, const std::string& device) {
    const auto& config = loaded.config;
    try {
        const auto position = make_positions(config);
        (void)make_attention_backend(config.attention.backend,
                                     attention_request(config, *position, config.train.dtype, device));
    } catch (const ConfigError& error) {
        throw ConfigError(placed(error.what(), loaded.origins));
    }
}

void check_ranks(const TrainRequest& request, int ranks) { check_share(request.config.train, ranks); }

void check_request(const TrainRequest& request, int ranks) {
    check_ranks(request, ranks);
    check_parts({request.config, request.origins}, request.device);
    check_lengths(request);
    if (const auto& from = request.config.train.init_from; !from.empty()) (void)read_manifest(resolve_checkpoint(from));
    check_missing_store(request);
    const bool known = request.plan_only && request.config.data.expect_vocab_size > 0;
    if (!store_exists(request) && !known) check_text_files(request.config.data);
}

}  // namespace longbow
