#include "longbow/grid/run.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/grid/commands.h"

namespace longbow {

void check_texts(const GridPlan& plan, const std::string& remedy) {
    for (const auto& model : plan.models) {
        const auto& data = model.config.data;
        if (model.done() || data.store.empty() || fs::exists(fs::path(data.store) / "manifest.json")) continue;
        if (data.train.empty())
            throw DataError(data.store + ": there is no token store, and data.train names no text for one; " + remedy);
        for (const auto& file : data.train) {
            if (!fs::exists(file)) {
                throw DataError(file + ": the text does not exist, and " + data.store + " is not a token store yet; " +
                                remedy);
            }
        }
    }
}

std::vector<ChainFailure> run_missing(const GridPlan& plan, const GridRequest& request) {
    const auto log = [&](const std::string& name) {
        std::string file = name;
        std::replace(file.begin(), file.end(), '/', '-');
        return request.run_dir / "logs" / (file + ".log");
    };
    Chain stores{"stores", store_commands(plan, request), log("stores"), {}};
    if (!stores.commands.empty()) {
        const auto failures = run_chains({stores}, 1);
        if (!failures.empty()) throw_failures(failures);
    }
    std::vector<Chain> chains;
    for (const auto& model : model_commands(plan, request))
        chains.push_back({model.name, model.commands, log(model.name), model.costs});
    return run_chains(chains, request.jobs);
}

void throw_failures(const std::vector<ChainFailure>& failures) {
    std::vector<std::string> names;
    for (const auto& failure : failures)
        names.push_back(failure.name + " (" + failure.command + fmt::format(", code {}, ", failure.code) +
                        failure.log.string() + ")");
    // A child that was killed by a signal has none of our exit codes.
    const int code = failures.front().code;
    const auto known = {2, 3, 4, 5, 65};
    throw Error(
        fmt::format("{} of the plan's models failed: ", failures.size()) + join(names, "; ") +
            "; tables and figures hold what the others measured, and the same command tries these again",
        std::find(known.begin(), known.end(), code) != known.end() ? static_cast<ExitCode>(code) : ExitCode::failure);
}

}  // namespace longbow
