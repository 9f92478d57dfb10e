#include "longbow/probe/probe_row.h"

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/dtype.h"

namespace longbow {

Json probe_row(const std::string& probe, const MeasuredRun& run, const ProbeOptions& options, int generator) {
    auto config = run.checkpoint.config;
    const auto print = [&] { return config_fingerprint(config, registered_config_context()); };
    Json row = {{"probe", probe},
                {"name", run.name + (run.overrides.empty() ? "" : " " + run.overrides)},
                {"overrides", run.overrides},
                {"position", config.position.method_names()},
                {"train_length", config.train.length},
                {"train_seed", config.train.seed},
                {"updates", run.checkpoint.state.updates},
                {"checkpoint", run.checkpoint.fingerprint},
                {"config", print()}};
    config.train.seed = 0;
    config.train.seeds.clear();
    row["config_group"] = print();
    row["dtype"] = name_of(run.dtype);
    row["seed"] = options.seed;
    row["generator"] = generator;
    return row;
}

Json interval_json(const std::optional<Interval>& interval) {
    return interval ? Json::array({interval->low, interval->high}) : Json(nullptr);
}

}  // namespace longbow
