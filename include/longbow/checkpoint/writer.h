// Writes checkpoints on a thread of its own while training goes on.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>

namespace longbow {

class CheckpointWriter {
public:
    CheckpointWriter() = default;
    ~CheckpointWriter();  // waits; an error is lost
    CheckpointWriter(const CheckpointWriter&) = delete;
    CheckpointWriter& operator=(const CheckpointWriter&) = delete;

    // Waits for the job before, throws what it threw, and starts this one.
    void start(std::function<void()> job);
    // Waits for the job; throws what it threw.
    void wait();
    // Throws what the job threw, if it has ended so; does not wait.
    void check();

private:
    std::thread thread_;
    std::atomic<bool> done_{true};
    std::exception_ptr error_;
};

}  // namespace longbow
