#include "run_data.h"

#include <fmt/core.h>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/task/task.h"
#include "longbow/task/task_stream.h"
#include "store.h"

namespace longbow {

namespace {

RunData open_task(const Config& config) {
    RunData data;
    data.items = task_stream(config.task, config.train.length);
    data.train = data.items.get();
    data.tokenizer = task_tokenizer(config.task);
    data.place = fmt::format("task {} of up to {} {}", config.task.name, config.task.length,
                             task_entry(config.task.name).symbol);
    return data;
}

}  // namespace

RunData open_run_data(const TrainRequest& request, bool validate) {
    if (request.config.task.chosen()) return open_task(request.config);
    RunData data;
    data.store = std::make_unique<TokenStore>(open_store(request));
    data.place = data.store->path().string();
    data.tokenizer = data.store->tokenizer();
    const auto& settings = request.config.data;
    data.source = std::make_unique<TrainingSource>(settings, *data.store);
    data.train = &data.source->stream();
    if (data.train->size() < request.config.train.length) {
        throw DataError(fmt::format("{}: the train split has {} tokens, fewer than train.length = {}", data.place,
                                    with_commas(data.train->size()), request.config.train.length));
    }
    if (!validate) return data;
    if (!settings.valid_store.empty())
        data.valid_store =
            std::make_unique<TokenStore>(open_like(settings.valid_store, *data.store, "data.valid_store"));
    const TokenStore& held_out = data.valid_store ? *data.valid_store : *data.store;
    if (data.valid_store || held_out.has_split("valid")) data.valid = &held_out.split("valid");
    return data;
}

}  // namespace longbow
