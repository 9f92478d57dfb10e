#include "longbow/train/speed.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <algorithm>
#include <cmath>

#include "longbow/data/memory_stream.h"
#include "longbow/dist/data_parallel.h"
#include "longbow/eval/estimate.h"
#include "longbow/model/autocast.h"
#include "longbow/model/flops.h"
#include "longbow/model/language_model.h"
#include "longbow/model/output_head.h"
#include "longbow/optim/optimizer.h"
#include "longbow/telemetry/progress.h"

namespace longbow {

namespace {

constexpr std::int64_t kLeastLength = 16;
constexpr double kPilotFlops = 1e9;                   // of the pilot, a first look at the speed
constexpr double kCpuFlops = 1e11, kGpuFlops = 1e13;  // of a timed pass, at most
constexpr std::int64_t kSyntheticTokens = 1 << 16;

// Describes the part of a micro-batch that is timed.
struct Part {
    Config config;
    std::int64_t rows = 1, length = 0;
    double flops = 0;  // of its forward and backward pass
};

Part part_of(const SpeedRequest& request, double limit) {
    Part part{request.config, request.config.train.batch, request.config.train.length, 0};
    auto& layers = part.config.model.layers;
    auto& length = part.length;
    ForwardFlops forward(part.config, request.vocab_size);
    const auto flops = [&] { return 3 * static_cast<double>(part.rows) * forward.window(length, length); };
    while (flops() > limit && part.rows > 1) part.rows = (part.rows + 1) / 2;
    while (flops() > limit && layers > 1) {
        layers = (layers + 1) / 2;
        forward = ForwardFlops(part.config, request.vocab_size);
    }
    while (flops() > limit && length > kLeastLength) length = std::max(kLeastLength, length / 2);
    part.flops = flops();
    return part;
}

// Returns a stream of the most frequent words in turn. With these an adaptive softmax does as much work as its FLOPs
// say.
std::unique_ptr<TokenStream> synthetic_stream(const Config& config, std::int64_t vocab_size) {
    const auto& cutoffs = config.model.adaptive_cutoffs;
    const auto words = cutoffs.empty() ? vocab_size : cutoffs.front();
    std::vector<TokenId> ids(kSyntheticTokens);
    for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = static_cast<TokenId>(static_cast<std::int64_t>(i * 7919) % words);
    return stream_of_ids(std::move(ids), 0);
}

// Runs updates of the part, each on the next tokens of the stream.
class Updates {
public:
    Updates(const Part& part, std::shared_ptr<LanguageModel> model, const TokenStream& stream)
        : part_(part),
          model_(std::move(model)),
          stream_(stream),
          parameters_(model_->parameters()),
          parallel_(ranks_, parameters_, {}) {
        std::vector<bool> decay;
        for (const auto& owned : parallel_.owned()) decay.push_back(model_->decays(owned));
        optimizer_ = make_optimizer(part.config.optim, parallel_.owned(), decay);
    }

    // Measures the seconds of the pass and of the optimizer's step. Each fetches a value from the device, so that a GPU
    // has finished too.
    void run(double& pass, double& step) {
        const RateMeter meter;
        parallel_.clear_gradients();
        auto loss = loss_of_next();
        parallel_.before_last_backward();
        loss.backward();
        parallel_.after_last_backward();
        const at::NoGradGuard no_grad;
        const auto norm = gradient_norm(parallel_.owned());
        norm.item<double>();
        pass = meter.elapsed();
        optimizer_->step(1e-6, clipping_divisor(norm, 1.0));
        parallel_.after_step();
        parameters_.front().view({-1})[0].item<double>();
        step = meter.elapsed() - pass;
    }

private:
    at::Tensor loss_of_next() {
        const auto length = part_.length;
        auto inputs = at::empty({part_.rows, length}, at::kLong), targets = at::empty({part_.rows, length}, at::kLong);
        for (std::int64_t row = 0; row < part_.rows; ++row) {
            if (next_ + length > stream_.size()) next_ = 0;
            const auto count = std::min(length, stream_.size());  // a shorter stream is repeated
            for (std::int64_t at = 0; at < length; at += count) {
                const auto here = std::min(count, length - at);
                read_inputs(stream_, next_, here, inputs.data_ptr<std::int64_t>() + row * length + at);
                stream_.read(next_, here, targets.data_ptr<std::int64_t>() + row * length + at);
            }
            next_ += length;
        }
        const auto device = parameters_.front().device();
        const AutocastScope autocast(device.type(), scalar_type(part_.config.train.dtype));
        auto hidden = model_->hidden(inputs);
        hidden = hidden.view({-1, hidden.size(-1)});
        return model_->head().loss(hidden, targets.view({-1}), 1.0 / static_cast<double>(targets.numel()));
    }

    const Part& part_;
    std::shared_ptr<LanguageModel> model_;
    const TokenStream& stream_;
    Communicator ranks_;
    std::vector<at::Tensor> parameters_;
    DataParallel parallel_;
    std::unique_ptr<Optimizer> optimizer_;
    std::int64_t next_ = 0;
};

std::shared_ptr<LanguageModel> model_of(const Part& part, const SpeedRequest& request) {
    auto model = make_language_model(part.config, request.vocab_size);
    model->to(c10::Device(request.device));
    model->train();
    return model;
}

struct Timing {
    // Seconds of the quickest update: other work on the machine only makes updates slower.
    double pass = INFINITY, step = INFINITY;
};

// Times as many updates as fit into `budget` seconds, at least one. One update before them warms up (it allocates
// memory) and is not counted.
Timing time_updates(const Part& part, const std::shared_ptr<LanguageModel>& model, const TokenStream& stream,
                    double budget) {
    Updates updates(part, model, stream);
    Timing timing;
    double pass = 0, step = 0;
    updates.run(pass, step);
    const RateMeter meter;
    int count = 0;
    do {
        updates.run(pass, step);
        timing.pass = std::min(timing.pass, pass);
        timing.step = std::min(timing.step, step);
        ++count;
    } while (meter.elapsed() * (count + 1) / count < budget);
    return timing;
}

}  // namespace

MachineSpeed measure_speed(const SpeedRequest& request) {
    const auto own = request.stream == nullptr ? synthetic_stream(request.config, request.vocab_size) : nullptr;
    const TokenStream& stream = own ? *own : *request.stream;
    const double budget = request.evaluations.empty() ? request.budget : request.budget / 2;

    // How much fits into the budget is measured on a pilot that is small on any machine and in any type: on a CPU fp16
    // takes a hundred times as long.
    auto part = part_of(request, kPilotFlops);
    auto model = model_of(part, request);
    auto timing = time_updates(part, model, stream, 0);
    const double most = request.device == "cpu" ? kCpuFlops : kGpuFlops;
    const auto larger = part_of(request, std::min(most, budget / (timing.pass / part.flops)));
    if (larger.flops > part.flops) {
        part = larger;
        model = model_of(part, request);
        timing = time_updates(part, model, stream, budget);
    }
    MachineSpeed speed;
    const auto& train = request.config.train;
    const auto whole = make_meta_model(request.config, request.vocab_size);
    const double micro_batches = static_cast<double>(train.accumulate) * static_cast<double>(train.batch);
    const double update_flops = 3 * micro_batches * ForwardFlops(*whole).window(train.length, train.length);
    speed.layers = part.config.model.layers;
    speed.flop_seconds = timing.pass / part.flops;
    speed.update_seconds = update_flops * speed.flop_seconds + timing.step *
                                                                   static_cast<double>(whole->parameter_count()) /
                                                                   static_cast<double>(model->parameter_count());
    if (request.evaluations.empty()) return speed;
    auto measured = model;
    if (request.evaluations.front().dtype != train.dtype) {  // an evaluation makes its model for its own type
        auto config = part.config;
        config.train.dtype = request.evaluations.front().dtype;
        measured = make_language_model(config, request.vocab_size);
        measured->to(c10::Device(request.device));
    }
    std::vector<EvalPlan> plans;
    for (const auto& evaluation : request.evaluations) plans.push_back(plan_evaluation(stream, evaluation));
    std::vector<const EvalPlan*> timed;
    for (const auto& plan : plans) timed.push_back(&plan);
    speed.evaluation = seconds_per_flop(*measured, stream, timed, budget);
    return speed;
}

}  // namespace longbow
