// Emulates a GPU's block of threads on the host, so that the kernels can be tested where there is no GPU. Every thread
// is a fiber, which waits at barriers and at warp-wide operations for the others. The order in which threads run comes
// from a seed. Shared memory starts as NaN, and an asynchronous copy lands either when it is started or when it is
// waited for. Every access to shared memory is checked: it must lie in the block's memory, be aligned, and be ordered
// by a barrier against other threads' accesses to the same bytes. A violated rule ends the launch with a Fault.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "emulator/tensor_core_sums.h"

namespace emulator {

struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// How the next launches run, and what is broken in them on purpose.
struct Options {
    std::uint64_t seed = 1;
    int planted_fault = 0;        // longbow::device::PlantedFault
    SumModel sums = kAmpereSums;  // the less accurate ones
    bool check_order = true;      // report unordered accesses to shared memory
    int start_error = 0;          // no kernel can be started, for the reason of this code
    bool capturing = false;       // streams are being captured in a graph
    std::string skip_barrier;     // the barrier at this place ("file:line") does nothing
    std::string weak_wait;        // the wait at this place allows one more pending group of copies
};
Options& options();

// The places of all barriers and of all waits for copies that any launch so far has passed, as "file:line".
struct Places {
    std::vector<std::string> barriers, waits;
};
Places& places();

// Counts phases of ldmatrix (eight rows each) and the passes over the banks of shared memory that they took. The
// numbers are equal if there are no bank conflicts.
struct BankCount {
    std::int64_t phases = 0, passes = 0;
};
BankCount& bank_count();

// Runs the blocks one after another, in an order drawn from the seed. Throws Fault.
void launch(int blocks_x, int blocks_y, int blocks_z, int threads, int shared_bytes,
            const std::function<void()>& kernel);

// --- The operations of the running thread, from which emulated_device.h is made.
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

// A warp-wide operation. Each lane brings its words; when the last lane has come, `compute` makes all lanes' results
// from them. It is a Fault if the lanes of a warp are in different operations.
struct Words {
    std::uint32_t w[12];
};
using Compute = void (*)(const Words (&in)[kLanes], Words (&out)[kLanes]);
Words warp_collective(const Words& input, Compute compute);

void copy16(std::uint32_t to, const void* from, bool in_bounds);
void commit_copies();
void wait_copies(int pending, const Place& place);
float load_float(std::uint32_t at);
void load_floats(float* to, int count, std::uint32_t at);
void store_float(std::uint32_t at, float value);
void load_matrices(std::uint32_t (&r)[4], std::uint32_t row, bool transposed);

}  // namespace emulator
