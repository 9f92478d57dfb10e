// Connects the ranks of a run: how they meet, the few collectives that the trainer and the evaluator need beside those
// of the gradients, and the watchdog that detects failures. It is built on c10d: a TCP store where the ranks meet,
// ProcessGroupNCCL on GPUs and ProcessGroupGloo on CPUs. A process without other ranks uses neither.
//
// A rank that fails writes its error to the store, so that every rank ends within seconds and names the first error. A
// rank that hangs, or whose host is gone, is detected by the watchdog after `timeout` seconds; its message says what
// each rank did last.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/dist/launch.h"

namespace c10d {
class ProcessGroup;
}

namespace longbow {

// Passes small messages between threads of different ranks. It has its own connection to the store, because the
// collectives belong to the main thread.
class Mailbox {
public:
    virtual ~Mailbox() = default;
    virtual void put(const std::string& key, const std::string& value) = 0;
    // Waits until the key exists. There is no time limit; it throws Error when the watchdog finds that a rank has
    // failed or gone silent.
    virtual std::string take(const std::string& key) = 0;
};

class Communicator {
public:
    Communicator();  // for a process without other ranks
    // Meets the other ranks. Throws Error that names the address when they do not come within `timeout` seconds.
    Communicator(const Launch& launch, const c10::Device& device, double timeout);
    ~Communicator();
    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;

    [[nodiscard]] int rank() const;
    [[nodiscard]] int world() const;
    [[nodiscard]] bool leader() const { return rank() == 0; }
    // Returns true if no launcher started this process. (A single rank that torchrun started is not alone: it is a
    // world of 1 and runs the same code as many ranks.)
    [[nodiscard]] bool alone() const;

    // Adds up the ranks' tensors in place. Every rank gets the same bits.
    void sum(const at::Tensor& tensor);
    void sum(std::vector<double>& values);
    // Overwrites the tensors, in place, with those of rank 0.
    void broadcast(const std::vector<at::Tensor>& tensors);
    // Returns every rank's text, in the order of ranks.
    std::vector<std::string> exchange(const std::string& value);
    // Returns rank 0's text.
    std::string from_leader(const std::string& value);
    // Runs `work` on rank 0 while the others wait without a time limit. If rank 0 throws InterruptedError, all ranks
    // throw it.
    void leader_first(const char* what, const std::function<void()>& work);
    // Returns true on every rank if `value` is true on any.
    bool any(bool value);

    // Tells the watchdog what this rank is doing, for its report: "update 12: backward". The watchdog takes each call
    // as progress. A `patient` stage may take any time.
    void stage(const std::string& where, bool patient = false);
    // Runs something that communicates (a backward pass). An exception of c10d becomes an Error that names the rank
    // that failed first and its error or, if none has reported one, the state of every rank.
    void guarded(const std::function<void()>& work);
    // Ends the run here, after success or by a decision of all ranks: waits without a time limit until every rank has
    // called it.
    void finish();
    // Reports to the other ranks that the run has failed on this one.
    void fail(const std::string& what) noexcept;

    [[nodiscard]] std::unique_ptr<Mailbox> mailbox() const;
    // Returns nullptr when alone.
    [[nodiscard]] const c10::intrusive_ptr<c10d::ProcessGroup>& group() const;

private:
    struct Impl;
    void make_group();
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
