// Tests the end of a process group and what is made of its failures, by a stand-in of NCCL's back-end.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "dist/groups.h"
#include "dist/watchdog.h"
#include "longbow/dist/communicator.h"

namespace longbow {
namespace {

using testing::HasSubstr;

class StandIn : public c10d::Backend {
public:
    StandIn() : Backend(0, 1) {}
    const std::string getBackendName() const override { return "stand-in"; }
    void shutdown() override {
        ++shutdowns;
        if (shutdown_fails) throw std::runtime_error("NCCL error");
    }

    int shutdowns = 0;
    bool shutdown_fails = false;
};

class RecordsErrors final : public StandIn {
public:
    c10d::ErrorType getError() override { return error; }
    c10d::ErrorType error = c10d::ErrorType::SUCCESS;
};

TEST(FailingGroup, ErrorsOfNcclInWords) {
    RecordsErrors backend;
    EXPECT_EQ(trouble_of(backend), "");
    backend.error = c10d::ErrorType::TIMEOUT;
    EXPECT_THAT(trouble_of(backend), HasSubstr("dist.timeout"));
    backend.error = c10d::ErrorType::COMM_ERROR;
    EXPECT_THAT(trouble_of(backend), HasSubstr("NCCL_DEBUG=WARN"));
    backend.error = c10d::ErrorType::REMOTE_ERROR;
    EXPECT_THAT(trouble_of(backend), HasSubstr("another rank"));
    StandIn without;
    EXPECT_THROW(trouble_of(without), c10::Error);
}

Watchdog watchdog_of_two() { return {c10::make_intrusive<c10d::HashStore>(), 0, {"here", "there"}, /*timeout=*/600}; }

TEST(FailingGroupDeathTest, TroubleEndsTheProcessWithOurMessage) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            auto watchdog = watchdog_of_two();
            watchdog.stage("update 7: backward");
            watchdog.watch([] { return std::string("a collective has not ended"); });
            for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
        },
        testing::ExitedWithCode(1),
        "longbow: error: rank 0: a collective has not ended \\(rank 0 \\(here\\): update 7: backward .*there");
}

TEST(FailingGroup, ABackendWithoutErrorsIsAskedOnce) {
    auto watchdog = watchdog_of_two();
    std::atomic<int> asked{0};
    watchdog.watch([&]() -> std::string {
        ++asked;
        throw std::runtime_error("does not support getError");
    });
    while (asked == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    watchdog.stop();
    EXPECT_EQ(asked, 1);
}

int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
    ::close(socket);
    return ntohs(address.sin_port);
}

// The destructor of NCCL's group aborts what is still queued, so the group is shut down before.
TEST(FailingGroup, AFinishedRunShutsItsGroupDown) {
    for (const bool fails : {false, true}) {
        Launch launch;
        launch.source = "test";
        launch.port = free_port();
        Communicator ranks(launch, c10::kCPU, /*timeout=*/60);
        const auto backend = c10::make_intrusive<StandIn>();
        backend->shutdown_fails = fails;
        ranks.group()->setBackend(c10::kMeta, c10d::ProcessGroup::BackendType::CUSTOM,
                                  std::optional<c10::intrusive_ptr<c10d::Backend>>(backend));
        EXPECT_EQ(backend->shutdowns, 0);
        ranks.finish();
        EXPECT_EQ(backend->shutdowns, 1);
    }
}

}  // namespace
}  // namespace longbow
