#include "longbow/dist/data_parallel.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <unordered_map>

#include "gradient_hooks.h"
#include "longbow/core/error.h"

namespace longbow {

namespace {

// Undefined: gradients are sent in their own type.
at::ScalarType wire_type(ReduceDType dtype) {
    switch (dtype) {
        case ReduceDType::full: return at::ScalarType::Undefined;
        case ReduceDType::bf16: return at::kBFloat16;
        case ReduceDType::fp16: return at::kHalf;
    }
    return at::ScalarType::Undefined;
}

// The first bucket of a backward pass is small, so that communication begins early.
constexpr std::int64_t kFirstBucketBytes = 1 << 20;

// Is a Reducer whose buckets stay as they were made. DistributedDataParallel would rebuild them in another order after
// the first backward pass, which would move the shards; and until it has done so, the Reducer records every gradient of
// every pass.
class FixedReducer final : public c10d::Reducer {
public:
    using Reducer::Reducer;
    void keep_buckets() { has_rebuilt_bucket_ = true; }
};

struct Bucket {
    std::vector<std::size_t> parameters;  // in the order in which they lie in the bucket
    std::int64_t elements = 0;
};

}  // namespace

struct DataParallel::Impl {
    explicit Impl(Communicator& ranks) : communicator(ranks) {}
    Communicator& communicator;
    std::unique_ptr<FixedReducer> reducer;
    std::shared_ptr<Scattering> scattering = std::make_shared<Scattering>();
    std::vector<Bucket> buckets;
    // Says where a flat part of a parameter that this rank owns lies: the parameter, and the part's first element in
    // the parameter and in this rank's share of the bucket.
    struct Part {
        std::size_t bucket, parameter;
        std::int64_t in_parameter, in_share;
    };
    std::vector<Part> parts;  // one each of owned_, when sharded
};

DataParallel::DataParallel(Communicator& communicator, const std::vector<at::Tensor>& parameters,
                           const DistConfig& config)
    : parameters_(parameters), impl_(std::make_unique<Impl>(communicator)) {
    owned_ = parameters;
    if (communicator.alone()) return;

    const auto cap = static_cast<std::int64_t>(config.bucket_mb * 1048576);
    const std::vector<bool> dense(parameters.size(), false);
    // The backward pass yields gradients roughly in the reverse order of the parameters, so the buckets are reversed.
    auto [groups, limits] = c10d::compute_bucket_assignment_by_size(
        parameters, {static_cast<std::size_t>(std::min(kFirstBucketBytes, cap)), static_cast<std::size_t>(cap)}, dense);
    std::reverse(groups.begin(), groups.end());
    std::reverse(limits.begin(), limits.end());
    for (const auto& group : groups) {
        Bucket bucket{group, 0};
        for (const auto index : group) bucket.elements += parameters[index].numel();
        impl_->buckets.push_back(std::move(bucket));
    }
    const auto& group = communicator.group();
    impl_->reducer = std::make_unique<FixedReducer>(
        parameters, groups, group, dense, cap, /*find_unused_parameters=*/false,
        /*gradient_as_bucket_view=*/true, std::unordered_map<std::size_t, std::string>{},
        std::min(kFirstBucketBytes, cap), /*skip_all_reduce_unused_params=*/false,
        /*use_python_reducer=*/false, std::vector<std::int64_t>(limits.begin(), limits.end()));
    impl_->reducer->keep_buckets();
    const HookState state{group, wire_type(config.reduce_dtype)};
    sharded_ = config.shard_optimizer;
    impl_->reducer->register_comm_hook(sharded_ ? scatter_hook(state, impl_->scattering) : sum_hook(state));
    if (sharded_) take_share();
}

DataParallel::~DataParallel() {
    if (impl_->reducer != nullptr) impl_->reducer->remove_autograd_hooks();
}

// Of each bucket of n elements, rank r owns [r * share, (r + 1) * share) with share = ceil(n / world).
void DataParallel::take_share() {
    owned_.clear();
    const auto rank = impl_->communicator.rank();
    for (std::size_t b = 0; b < impl_->buckets.size(); ++b) {
        const auto& bucket = impl_->buckets[b];
        const auto share = share_of(bucket.elements, impl_->communicator.world());
        const auto first = rank * share, last = std::min(first + share, bucket.elements);
        std::int64_t place = 0;
        for (const auto index : bucket.parameters) {
            const auto size = parameters_[index].numel();
            const auto begin = std::max<std::int64_t>(first - place, 0), end = std::min(last - place, size);
            if (begin < end) {
                impl_->parts.push_back({b, index, begin, place + begin - first});
                owned_.push_back(parameters_[index].detach().view({-1}).slice(0, begin, end));
            }
            place += size;
        }
    }
}

void DataParallel::clear_gradients() {
    for (const auto& parameter : parameters_) {
        // With ranks, the gradients are views of the Reducer's buckets. They are zeroed in place: releasing them would
        // cost a copy into the bucket at each pass.
        if (impl_->reducer != nullptr && parameter.grad().defined()) {
            parameter.mutable_grad().zero_();
        } else {
            parameter.mutable_grad() = at::Tensor();
        }
    }
}

void DataParallel::before_last_backward() {
    if (impl_->reducer != nullptr) impl_->reducer->prepare_for_backward({});
}

void DataParallel::after_last_backward() {
    if (!sharded_) return;
    impl_->communicator.guarded([&] { impl_->scattering->finish(); });
    for (std::size_t i = 0; i < owned_.size(); ++i) {
        const auto& part = impl_->parts[i];
        const auto& gradient = parameters_[part.parameter].grad();
        owned_[i].mutable_grad() = gradient.view({-1}).narrow(0, part.in_parameter, owned_[i].numel());
    }
}

void DataParallel::after_step() {
    if (!sharded_) return;
    auto& communicator = impl_->communicator;
    communicator.guarded([&] {
        std::size_t next = 0;
        for (std::size_t b = 0; b < impl_->buckets.size(); ++b) {
            const auto& bucket = impl_->buckets[b];
            const auto options = parameters_[bucket.parameters.front()].options().requires_grad(false);
            const auto share = share_of(bucket.elements, communicator.world());
            auto mine = at::empty({share}, options);
            for (; next < owned_.size() && impl_->parts[next].bucket == b; ++next) {
                mine.narrow(0, impl_->parts[next].in_share, owned_[next].numel()).copy_(owned_[next]);
            }
            auto all = at::empty({share * communicator.world()}, options);
            communicator.group()->_allgather_base(all, mine)->wait();
            std::int64_t place = 0;
            for (const auto index : bucket.parameters) {
                const auto whole = parameters_[index].detach().view({-1});
                whole.copy_(all.narrow(0, place, whole.numel()));
                place += whole.numel();
            }
        }
    });
}

}  // namespace longbow
