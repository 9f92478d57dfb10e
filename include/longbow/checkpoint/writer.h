// Writes checkpoints on a separate thread while training goes on.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>

namespace longbow {

class CheckpointWriter {
public:
    CheckpointWriter() = default;
    ~CheckpointWriter();  // waits for the job; an error of it is lost
    CheckpointWriter(const CheckpointWriter&) = delete;
    CheckpointWriter& operator=(const CheckpointWriter&) = delete;

    // Waits for the previous job, throws what it threw, and else starts this one.
    void start(std::function<void()> job);
    // Waits for the job and throws what it threw.
    void wait();
    // Throws what the job threw if it has ended with an error. Does not wait.
    void check();

private:
    std::thread thread_;
    std::atomic<bool> done_{true};
    std::exception_ptr error_;
};

}  // namespace longbow
