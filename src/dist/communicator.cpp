#include "longbow/dist/communicator.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <arpa/inet.h>
#include <c10/util/Logging.h>
#include <fmt/core.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include "groups.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "watchdog.h"

namespace longbow {

namespace {

using StorePtr = c10::intrusive_ptr<c10d::Store>;
constexpr std::size_t kBroadcastBytes = 25 << 20;

std::string host_name() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

// Returns the address from which this host reaches `target`. Connecting a UDP socket looks it up in the kernel's routes
// and sends no packet.
std::string own_address(const std::string& target, int port) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_DGRAM;
    if (::getaddrinfo(target.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
        throw Error("cannot find the address of " + target);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> release(found, ::freeaddrinfo);
    std::string result = target;
    if (const int probe = ::socket(found->ai_family, SOCK_DGRAM, 0); probe >= 0) {
        sockaddr_storage own{};
        socklen_t size = sizeof own;
        char text[NI_MAXHOST] = {};
        if (::connect(probe, found->ai_addr, found->ai_addrlen) == 0 &&
            ::getsockname(probe, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
            ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
                0) {
            result = text;
        }
        ::close(probe);
    }
    return result;
}

// Returns the error's message without the stack trace that c10 appends to it.
std::string first_line(const std::exception& error) {
    const std::string text = error.what();
    return text.substr(0, text.find('\n'));
}

StorePtr open_store(const Launch& launch, double timeout) {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(launch.port);
    options.isServer = launch.rank == 0 && !launch.launcher_serves_store;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(timeout * 1000));
    try {
        return c10::make_intrusive<c10d::TCPStore>(launch.address, options);
    } catch (const std::exception& error) {
        const char* remedy = options.isServer ? "is the port free? MASTER_PORT chooses another"
                                              : "is rank 0 running there, and does the network let it be reached?";
        throw Error(fmt::format("rank {} of {} cannot meet the others at {}:{} (dist.timeout is {:.0f} s): {} ({})",
                                launch.rank, launch.world, launch.address, launch.port, timeout, remedy,
                                first_line(error)));
    }
}

}  // namespace

struct Communicator::Impl {
    Launch launch;
    double timeout = 0;
    StorePtr raw;    // keeps the server alive on the rank that serves the store
    StorePtr store;  // with this attempt's prefix
    std::unique_ptr<Watchdog> watchdog;
    c10::Device device{c10::kCPU};
    c10::intrusive_ptr<c10d::ProcessGroup> group;
    std::int64_t exchanges = 0;
    mutable std::int64_t mailboxes = 0;

    // Waits for a key of the store and returns its value. It polls, so that a failure on another rank ends the wait.
    std::string take(c10d::Store& from, const std::string& key, bool for_ever) const {
        const auto start = std::chrono::steady_clock::now();
        for (auto pause = std::chrono::milliseconds(1);; pause = std::min(pause * 2, std::chrono::milliseconds(100))) {
            if (from.check({key})) return from.get_to_str(key);
            if (watchdog != nullptr) {
                if (const auto failure = watchdog->failure()) throw Error(*failure);
                if (const auto gone = watchdog->silent_rank()) {
                    throw Error(
                        fmt::format("rank {}: rank {} has not responded for dist.timeout (", launch.rank, *gone) +
                        watchdog->table() + ")");
                }
            }
            const double waited = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            if (!for_ever && waited > timeout) {
                throw Error(fmt::format("rank {} waited {:.0f} s (dist.timeout) for the other ranks at {}:{}",
                                        launch.rank, waited, launch.address, launch.port) +
                            (watchdog != nullptr ? " (" + watchdog->table() + ")" : ""));
            }
            std::this_thread::sleep_for(pause);
        }
    }

    // Waits until every rank has come to the point of this name.
    void meet(const std::string& point, bool for_ever) const {
        store->set(point + "/" + std::to_string(launch.rank), std::string("1"));
        for (int other = 0; other < launch.world; ++other) take(*store, point + "/" + std::to_string(other), for_ever);
    }

    // The run has succeeded, whatever happens here.
    void close_group() const {
        if (group == nullptr) return;
        try {
            group->shutdown();
        } catch (const std::exception& error) {
            log::warn("the connections to the other ranks were not closed: " + first_line(error));
        }
    }

    // NCCL's kernels wait on the GPU for ranks that will not come, and the process cannot end before they do.
    void abort_group() const {
        if (!device.is_cuda() || group == nullptr) return;
        try {
            group->abort();
        } catch (const std::exception&) {
            // The process fails already, with a better message.
        }
    }

    void guarded(const std::function<void()>& work) const {
        try {
            work();
        } catch (const Error&) {
            throw;
        } catch (const std::exception& error) {
            const auto what = fmt::format("rank {} lost the others: ", launch.rank) + first_line(error);
            throw Error(watchdog != nullptr ? watchdog->explain(what) : what);
        }
    }
};

namespace {

class StoreMailbox final : public Mailbox {
public:
    using Take = std::function<std::string(c10d::Store&, const std::string&)>;
    using Guard = std::function<void(const std::function<void()>&)>;
    StoreMailbox(StorePtr store, Take take, Guard guard)
        : store_(std::move(store)), take_(std::move(take)), guard_(std::move(guard)) {}
    void put(const std::string& key, const std::string& value) override {
        guard_([&] { store_->set(key, std::vector<std::uint8_t>(value.begin(), value.end())); });
    }
    std::string take(const std::string& key) override {
        std::string value;
        guard_([&] { value = take_(*store_, key); });
        return value;
    }

private:
    StorePtr store_;
    Take take_;
    Guard guard_;
};

}  // namespace

Communicator::Communicator() : impl_(std::make_unique<Impl>()) {}

Communicator::Communicator(const Launch& launch, const c10::Device& device, double timeout)
    : impl_(std::make_unique<Impl>()) {
    auto& self = *impl_;
    self.launch = launch;
    self.timeout = timeout;
    self.device = device;
    if (launch.alone()) return;
    // c10d's errors reach us as exceptions too, and we print them in one line; c10d's own log, which adds a stack
    // trace, is turned off.
    if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
    self.raw = open_store(launch, timeout);
    self.store = c10::make_intrusive<c10d::PrefixStore>("longbow/" + launch.attempt, self.raw);
    const auto hosts = exchange(host_name());
    self.watchdog = std::make_unique<Watchdog>(self.store->clone(), launch.rank, hosts, timeout);
    try {
        make_group();
    } catch (const std::exception& error) {
        fail(error.what());
        throw;
    }
}

void Communicator::make_group() {
    auto& self = *impl_;
    const auto& launch = self.launch;
    const auto& device = self.device;
    self.guarded([&] {
        GroupRequest request{c10::make_intrusive<c10d::PrefixStore>("group", self.store), launch.rank, launch.world,
                             std::chrono::milliseconds(static_cast<std::int64_t>(self.timeout * 1000)),
                             own_address(launch.address, launch.port)};
        if (launch.world > launch.local_world && (starts_with(request.address, "127.") || request.address == "::1") &&
            std::getenv("GLOO_SOCKET_IFNAME") == nullptr) {
            throw Error("this host's name resolves to " + request.address +
                        " here (/etc/hosts), where ranks on other hosts cannot reach it: set "
                        "MASTER_ADDR to an address that they can, or GLOO_SOCKET_IFNAME to the network card");
        }
        const bool gpu = device.is_cuda();
        const auto backend = gpu ? make_nccl(request) : make_gloo(request);
        const auto type = gpu ? c10d::ProcessGroup::BackendType::NCCL : c10d::ProcessGroup::BackendType::GLOO;
        self.group = c10::make_intrusive<c10d::ProcessGroup>(self.store, launch.rank, launch.world);
        self.group->setBackend(device.type(), type, backend);
        self.group->setDefaultBackend(type);
        self.group->setGroupName("longbow");
        if (gpu) self.watchdog->watch([backend] { return trouble_of(*backend); });
    });
}

Communicator::~Communicator() = default;

int Communicator::rank() const { return impl_->launch.rank; }
int Communicator::world() const { return impl_->launch.world; }
bool Communicator::alone() const { return impl_->launch.alone(); }

void Communicator::sum(const at::Tensor& tensor) {
    if (alone()) return;
    impl_->guarded([&] {
        std::vector<at::Tensor> tensors{tensor};
        impl_->group->allreduce(tensors)->wait();
    });
}

void Communicator::sum(std::vector<double>& values) {
    if (alone() || values.empty()) return;
    const auto host = at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kDouble);
    if (impl_->device.is_cpu()) return sum(host);
    const auto device_values = host.to(impl_->device);
    sum(device_values);
    host.copy_(device_values);
}

void Communicator::broadcast(const std::vector<at::Tensor>& tensors) {
    if (alone()) return;
    impl_->guarded([&] { c10d::broadcast_coalesced(impl_->group, tensors, kBroadcastBytes); });
}

std::vector<std::string> Communicator::exchange(const std::string& value) {
    if (alone()) return {value};
    auto& self = *impl_;
    std::vector<std::string> all;
    self.guarded([&] {
        const auto name = fmt::format("exchange/{}/", self.exchanges++);
        self.store->set(name + std::to_string(rank()), std::vector<std::uint8_t>(value.begin(), value.end()));
        for (int other = 0; other < world(); ++other)
            all.push_back(self.take(*self.store, name + std::to_string(other), /*for_ever=*/false));
    });
    return all;
}

std::string Communicator::from_leader(const std::string& value) {
    return exchange(leader() ? value : std::string()).front();
}

void Communicator::leader_first(const char* what, const std::function<void()>& work) {
    if (alone()) return work();
    auto& self = *impl_;
    const auto key = fmt::format("first/{}", self.exchanges++);
    self.watchdog->stage(std::string(leader() ? "" : "waiting for rank 0: ") + what, /*patient=*/true);
    if (leader()) {
        std::string stopped;
        try {
            work();
            // All ranks must hear of it, since a run that was stopped ends on all of them.
        } catch (const InterruptedError& error) {
            stopped = error.what();
        }
        self.guarded([&] { self.store->set(key, stopped); });
        if (!stopped.empty()) throw InterruptedError(stopped);
    } else {
        std::string stopped;
        self.guarded([&] { stopped = self.take(*self.store, key, /*for_ever=*/true); });
        if (!stopped.empty()) throw InterruptedError(stopped);
    }
    // The stage is patient until the next one, since each rank now reads and prepares its own data.
    self.watchdog->stage(what, /*patient=*/true);
}

bool Communicator::any(bool value) {
    if (alone()) return value;
    const auto flag = at::full({1}, value ? 1.0 : 0.0, at::TensorOptions().dtype(at::kDouble).device(impl_->device));
    sum(flag);
    return flag.item<double>() > 0;
}

void Communicator::stage(const std::string& where, bool patient) {
    if (impl_->watchdog != nullptr) impl_->watchdog->stage(where, patient);
}

void Communicator::guarded(const std::function<void()>& work) { alone() ? work() : impl_->guarded(work); }

void Communicator::finish() {
    auto& self = *impl_;
    if (self.watchdog == nullptr) return;
    try {
        stage("the end", /*patient=*/true);
        self.meet("finished", /*for_ever=*/true);
        // The destructor of NCCL's group would abort what is still queued. This waits for it and for the other ranks,
        // all of which are here.
        stage("closing the connections");
        self.close_group();
        // No rank leaves before all have come: a launcher ends the remaining ranks when one has ended, and the store
        // ends with the rank that serves it.
        self.meet("closed", /*for_ever=*/false);
        if (leader() && !self.launch.launcher_serves_store)
            std::this_thread::sleep_for(std::chrono::milliseconds(300));  // gives the others time to read the last key
    } catch (const std::exception&) {
        // Another rank is gone already and has reported why.
    }
    self.watchdog->stop();
}

void Communicator::fail(const std::string& what) noexcept {
    auto& self = *impl_;
    if (self.watchdog == nullptr) return;
    try {
        if (!self.watchdog->failure()) {
            const auto message = fmt::format("rank {} failed: {}", rank(), what);
            self.watchdog->fail(message);
            self.store->compareSet(kFailureKey, "", message);
            // The store ends with rank 0, so rank 0 waits for two or three beats of the watchdog until the others have
            // read the message.
            if (leader() && !self.launch.launcher_serves_store)
                std::this_thread::sleep_for(std::chrono::milliseconds(1500));
        }
    } catch (const std::exception&) {
        // The store is gone, which the other ranks notice by themselves.
    }
    self.abort_group();
}

std::unique_ptr<Mailbox> Communicator::mailbox() const {
    // Mailboxes are numbered, so that a later run of the same ranks (train.seeds) does not read what an earlier one
    // put. The wait has no time limit, since the other rank may be writing a large file; if that rank is gone, the
    // watchdog ends the wait.
    auto store =
        c10::make_intrusive<c10d::PrefixStore>(fmt::format("mailbox/{}", impl_->mailboxes++), impl_->store->clone());
    return std::make_unique<StoreMailbox>(
        store,
        [impl = impl_.get()](c10d::Store& from, const std::string& key) {
            return impl->take(from, key, /*for_ever=*/true);
        },
        [impl = impl_.get()](const std::function<void()>& work) { impl->guarded(work); });
}

const c10::intrusive_ptr<c10d::ProcessGroup>& Communicator::group() const { return impl_->group; }

}  // namespace longbow
