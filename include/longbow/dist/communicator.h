// The ranks of a run: who there is, the few collectives that the trainer and evaluator need beside the gradients', and the watch over it
// all. Built on c10d: a TCP store where the ranks meet, ProcessGroupNCCL on GPUs, ProcessGroupGloo on CPUs. One process alone has neither.
//
// A rank that fails says so in the store, so that every rank ends within seconds and names the first error. A rank that hangs, or whose
// host is gone, is found by the watchdog after `timeout` seconds, which says where each rank was last seen.
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

// Small messages between the ranks' threads beside the collectives, which belong to the main thread: a connection of its own to the store.
class Mailbox {
public:
    virtual ~Mailbox() = default;
    virtual void put(const std::string& key, const std::string& value) = 0;
    // Waits until the key is there, as long as the watchdog finds nothing wrong with the ranks.
    virtual std::string take(const std::string& key) = 0;
};

class Communicator {
public:
    Communicator();  // one process alone
    // Meets the other ranks. Throws Error that names the address when they do not come within `timeout` seconds.
    Communicator(const Launch& launch, const c10::Device& device, double timeout);
    ~Communicator();
    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;

    [[nodiscard]] int rank() const;
    [[nodiscard]] int world() const;
    [[nodiscard]] bool leader() const { return rank() == 0; }
    // No launcher started this process. (One rank that torchrun started is a world of 1, and goes through the same code as many.)
    [[nodiscard]] bool alone() const;

    // Adds the ranks' tensors, in place: the same bits on every rank.
    void sum(const at::Tensor& tensor);
    void sum(std::vector<float>& values);
    // Rank 0's values everywhere, in place.
    void broadcast(const std::vector<at::Tensor>& tensors);
    // Everyone's text, in the order of ranks.
    std::vector<std::string> exchange(const std::string& mine);
    // Rank 0's text.
    std::string from_leader(const std::string& mine);
    // `work` on rank 0; the others wait, however long it takes, and then go on. An InterruptedError of rank 0's is thrown on all.
    void leader_first(const char* what, const std::function<void()>& work);
    // True everywhere if it is on any rank.
    bool any(bool mine);

    // What this rank does now, for the watchdog's report: "update 12: backward". Progress is a change of it; `patient` if it may take any time.
    void stage(const std::string& where, bool patient = false);
    // Runs something that communicates (a backward pass): what it throws is said again with the ranks' state, or as the error of the rank
    // that failed first.
    void guarded(const std::function<void()>& work);
    // The run has ended here, well or by a decision of all ranks: waits, however long it takes, until it has everywhere.
    void finish();
    // The run has failed here: tells the others.
    void fail(const std::string& what) noexcept;

    [[nodiscard]] std::unique_ptr<Mailbox> mailbox() const;
    // nullptr when alone.
    [[nodiscard]] const c10::intrusive_ptr<c10d::ProcessGroup>& group() const;

private:
    struct Impl;
    void make_group();
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
