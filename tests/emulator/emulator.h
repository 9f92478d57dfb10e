// A GPU's block of threads on the host: what the kernels' device layer needs where there is no GPU. Every thread is a fiber; barriers and
// warp-wide operations are meetings; which thread goes on is drawn from a seed; shared memory starts as NaN; an asynchronous copy lands at
// a time drawn between its start and the wait for it. Every access to shared memory is checked: inside the block's memory, aligned, and
// ordered by a barrier against what other threads do to the same bytes. A violated rule ends the launch with a Fault.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace emulator {

struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// How the next launches run, and what is broken in them on purpose.
struct Options {
    std::uint64_t seed = 1;
    int tamper = 0;            // longbow::device::Tamper
    bool check_order = true;   // report unordered accesses to shared memory
    std::string skip_barrier;  // the barrier of this place ("file:line") is no barrier
    std::string weak_wait;     // the wait of this place lets one more group of copies be pending
};
Options& options();

// The places of barriers and of waits for copies that any launch so far has passed, as "file:line".
struct Places {
    std::vector<std::string> barriers, waits;
};
Places& places();

// Phases of ldmatrix (eight rows each) and how many passes over the banks of shared memory these took: equal when there is no conflict.
struct BankCount {
    std::int64_t phases = 0, passes = 0;
};
BankCount& bank_count();

// Runs one block after another, in an order drawn from the seed. Throws Fault.
void launch(int blocks_x, int blocks_y, int blocks_z, int threads, int shared_bytes, const std::function<void()>& kernel);

// --- What emulated_device.h is made of: operations of the running thread.
constexpr int kLanes = 32;

// A line of the kernels' source.
struct Place {
    const char* file;
    int line;
};

struct Position {
    int thread, block_x, block_y, block_z, blocks_x;
};
const Position& position();
void barrier(const Place& place);

// A meeting of the warp: each lane leaves `count` words and gets `out_count` back, which `compute` makes of all lanes' words when the last
// has come. Lanes that meet in different operations are a Fault.
struct Words {
    std::uint32_t w[12];
};
using Compute = void (*)(const Words (&in)[kLanes], Words (&out)[kLanes]);
Words meet(const Words& mine, Compute compute);

void copy16(std::uint32_t to, const void* from, bool there);
void commit_copies();
void wait_copies(int pending, const Place& place);
float load_float(std::uint32_t at);
void load_floats(float* to, int count, std::uint32_t at);
void store_float(std::uint32_t at, float value);
void load_matrices(std::uint32_t (&r)[4], std::uint32_t row, bool transposed);

}  // namespace emulator
