// state.json: reads and writes the TrainState of a checkpoint.
#include <limits>
#include <string_view>
#include <type_traits>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// Lists the fields once, for both directions.
template <class State, class Visit>
void each_field(State& state, Visit&& visit) {
    visit("updates", state.updates);
    visit("samples", state.samples);
    visit("tokens", state.tokens);
    visit("optimizer_steps", state.optimizer_steps);
    visit("loss_scale", state.loss_scale);
    visit("good_updates", state.good_updates);
    visit("skipped_updates", state.skipped_updates);
    visit("bad_updates", state.bad_updates);
    visit("best_nll", state.best_nll);
    visit("best_update", state.best_update);
    visit("validated_update", state.validated_update);
    visit("interval_nll", state.interval_nll);
    visit("interval_tokens", state.interval_tokens);
    visit("schedule_period", state.schedule_period);
    visit("gemm_library", state.gemm_library);
    visit("train_seconds", state.train_seconds);
    visit("device", state.device);
    visit("threads", state.threads);
    visit("ranks", state.ranks);
    visit("base_updates", state.base_updates);
    visit("base_skipped", state.base_skipped);
    visit("base_tokens", state.base_tokens);
    visit("base_epochs", state.base_epochs);
    visit("order_updates", state.order_updates);
}

// Fields that the states of earlier versions do not have. Their default values describe those versions' behaviour.
bool is_younger(std::string_view name) {
    return name == "ranks" || starts_with(name, "base_") || name == "order_updates";
}

}  // namespace

Json to_json(const TrainState& state) {
    Json json = Json::object();
    each_field(state, [&](const char* name, const auto& value) { json[name] = value; });
    return json;
}

TrainState train_state_from_json(const Json& json, const std::string& file) {
    if (!json.is_object()) throw CheckpointError(file + ": expected a JSON object");
    TrainState state;
    each_field(state, [&](const char* name, auto& value) {
        const auto found = json.find(name);
        if (found == json.end() && is_younger(name)) return;
        if (found == json.end()) throw CheckpointError(file + ": " + name + " is missing");
        try {
            using Value = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<Value, double>) {
                if (found->is_null()) {  // it was not finite when it was written
                    value = std::numeric_limits<double>::quiet_NaN();
                    return;
                }
            }
            value = found->template get<Value>();
        } catch (const Json::exception&) {
            throw CheckpointError(file + ": " + name + " has the wrong type");
        }
    });
    if (state.updates < 0 || state.samples < 0 || state.tokens < 0)
        throw CheckpointError(file + ": a count is negative");
    return state;
}

TrainState read_train_state(const std::filesystem::path& checkpoint) {
    const auto path = checkpoint / "state.json";
    return train_state_from_json(parse_json(read_file(path)), path.string());
}

}  // namespace longbow
