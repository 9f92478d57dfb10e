#include "time_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/strings.h"
#include "longbow/model/flops.h"
#include "longbow/train/speed.h"
#include "session.h"

namespace longbow {

namespace {

std::vector<EvalRequest> validations(const Config& config) {
    std::vector<EvalRequest> requests;
    for (const auto length : validation_lengths(config)) {
        auto& request = requests.emplace_back();
        request.length = length;
        request.max_batch_tokens = config.eval.max_batch_tokens;
        request.max_stream_tokens = config.eval.valid_tokens;
        request.dtype = config.train.dtype;
    }
    return requests;
}

// Returns how often a run validates: at its end, and every eval.every before.
double validation_count(const Config& config, const TimeRequest& time, double tokens_per_update) {
    const auto& every = config.eval.every;
    if (every.unit == Duration::Unit::seconds || every.value <= 0) return 1;
    if (every.unit == Duration::Unit::epochs && time.updates_per_epoch <= 0) return 1;
    const double period = fractional_updates(every, {tokens_per_update, time.updates_per_epoch});
    return std::max(1.0, std::ceil(time.updates / period - 1e-9));
}

}  // namespace

TimeRequest expected_time(const Config& config) {
    TimeRequest time;
    time.vocab_size = config.data.expect_vocab_size;
    const double tokens = static_cast<double>(config.train.batch * config.train.accumulate * config.train.length);
    if (config.data.expect_train_tokens > 0)
        time.updates_per_epoch = static_cast<double>(config.data.expect_train_tokens) / tokens;
    if (config.train.stop.unit != Duration::Unit::epochs || time.updates_per_epoch > 0)
        time.updates = std::ceil(fractional_updates(config.train.stop, {tokens, time.updates_per_epoch}));
    return time;
}

std::string time_text(const TrainRequest& request, const TimeRequest& time, int ranks) {
    const auto& config = request.config;
    if (request.device == "cuda") return "";  // a device of another machine
    const auto requests = time.valid != nullptr ? validations(config) : std::vector<EvalRequest>();
    MachineSpeed speed;
    try {
        speed = measure_speed({config, time.vocab_size, time.train, requests, request.device});
    } catch (const std::exception& error) {  // LibTorch's errors too, such as a type that this machine cannot multiply
        const std::string why = error.what();
        return fmt::format("{:<22} cannot be measured here: {}\n", "time", why.substr(0, why.find('\n')));
    }
    // Ranks on CPUs share the cores that this measurement has to itself; on GPUs each rank has its own device.
    const double share = request.device == "cpu" ? 1 : ranks;

    const double update = speed.update_seconds / share;
    std::string text = fmt::format("{:<22} {} an update", "time", rounded_duration_text(update));
    double validation = 0;
    const ForwardFlops forward(config, time.vocab_size);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto tokens =
            config.eval.valid_tokens > 0 ? std::min(config.eval.valid_tokens, time.valid->size()) : time.valid->size();
        validation += static_cast<double>(tokens) * forward.token(requests[i].length) * speed.evaluation[i] / share;
    }
    if (!requests.empty()) text += fmt::format(", {} a validation", rounded_duration_text(validation));
    if (time.updates >= 0) {
        const double tokens = static_cast<double>(config.train.batch * config.train.accumulate * config.train.length);
        const double count = requests.empty() ? 0 : validation_count(config, time, tokens);
        const auto runs = static_cast<double>(std::max<std::size_t>(1, config.train.seeds.size()));
        text += fmt::format(": about {} in all",
                            rounded_duration_text(runs * (time.updates * update + count * validation)));
    }
    text += fmt::format("\n{:>22} on this machine ({}, {} threads{}), by {} timed just now and scaled by FLOPs\n", "",
                        request.device, request.threads, ranks > 1 ? fmt::format(", {} ranks", ranks) : "",
                        speed.layers < config.model.layers
                            ? fmt::format("{} of its {} layers", speed.layers, config.model.layers)
                            : "updates");
    if (time.train == nullptr)
        text += fmt::format("{:>22} (without a store the time of validations{} is not known)\n", "",
                            time.updates < 0 ? ", and the number of updates," : "");
    return text;
}

}  // namespace longbow
