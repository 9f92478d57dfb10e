#include "longbow/checkpoint/writer.h"

#include <utility>

namespace longbow {

CheckpointWriter::~CheckpointWriter() {
    if (thread_.joinable()) thread_.join();
}

void CheckpointWriter::start(std::function<void()> job) {
    wait();
    done_ = false;
    thread_ = std::thread([this, job = std::move(job)] {
        try {
            job();
        } catch (...) {
            error_ = std::current_exception();
        }
        done_ = true;
    });
}

void CheckpointWriter::wait() {
    if (thread_.joinable()) thread_.join();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void CheckpointWriter::check() {
    if (done_) wait();
}

}  // namespace longbow
