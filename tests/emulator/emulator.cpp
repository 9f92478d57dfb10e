// Implements the emulator's fibers, scheduler, warp-wide exchanges and checked shared memory.
#undef _FORTIFY_SOURCE  // the longjmp of _FORTIFY_SOURCE refuses to change stacks, which fibers do
#include "emulator/emulator.h"

#include <ucontext.h>
#include <csetjmp>
#include <cstring>
#include <memory>

#include <algorithm>
#include <string_view>

namespace emulator {

namespace {

constexpr std::size_t kStackBytes = 262144;
constexpr std::uint8_t kPoison = 0xFF;  // NaN as fp32, fp16 and bf16

class Random {  // xorshift64*
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull | 1) {}
    std::uint32_t below(std::uint32_t bound) {
        state_ ^= state_ >> 12, state_ ^= state_ << 25, state_ ^= state_ >> 27;
        return static_cast<std::uint32_t>(((state_ * 0x2545F4914F6CDD1Dull) >> 33) % bound);
    }

private:
    std::uint64_t state_;
};

struct Copy {
    std::uint32_t to;
    std::uint8_t bytes[16];
    int group;
    bool landed;
};

struct Fiber {
    ucontext_t start{};
    jmp_buf resume{};
    bool started = false, done = false;
    std::vector<Copy> copies;
    int group = 0;
};

struct Warp {
    Words in[kLanes], out[kLanes];
    int arrived = 0;
    Compute collective = nullptr;
};

// Which thread accessed a word of shared memory last, and after how many barriers.
struct Word {
    int writer = -1, reader = -1;  // thread numbers; -1: none, reader -2: several
    std::int64_t written = -1, read = -1;
    int copier = -1;  // the thread that started a copy to this word and has not waited for it, or -1
};

class Block {
public:
    Block(int threads, int shared_bytes, const std::function<void()>& kernel, const Position& at, Random& random)
        : kernel_(kernel),
          random_(random),
          position_(at),
          fibers_(static_cast<std::size_t>(threads)),
          warps_(static_cast<std::size_t>(threads / kLanes)),
          shared_(static_cast<std::size_t>(shared_bytes), kPoison),
          words_(static_cast<std::size_t>(shared_bytes) / 4) {}

    void run();
    void barrier(const Place& place);
    Words warp_collective(const Words& input, Compute compute);
    void copy16(std::uint32_t to, const void* from, bool in_bounds);
    void commit_copies() { ++fiber().group; }
    void wait_copies(int pending, const Place& place);
    const std::uint8_t* read(std::uint32_t at, std::uint32_t bytes, const char* what);
    void write(std::uint32_t at, const void* from, std::uint32_t bytes, const char* what);
    const Position& position() const { return position_; }
    void trampoline();

private:
    Fiber& fiber() { return fibers_[static_cast<std::size_t>(current_)]; }
    [[noreturn]] void fault(const std::string& what);
    void start_fiber(int index);
    __attribute__((noinline)) void resume(int index);
    __attribute__((noinline)) void suspend();
    int next_ready();
    void land(Copy& copy);
    void check(std::uint32_t at, std::uint32_t bytes, const char* what);
    void check_write(std::uint32_t at, std::uint32_t bytes, bool by_copy);

    const std::function<void()>& kernel_;
    Random& random_;
    Position position_;
    std::vector<Fiber> fibers_;
    std::vector<Warp> warps_;
    std::vector<std::uint8_t> shared_;
    std::vector<Word> words_;
    std::vector<int> ready_, at_barrier_;
    jmp_buf scheduler_{};
    int current_ = -1, finished_ = 0;
    std::int64_t era_ = 0;  // barriers passed so far
    bool run_long_ = false;
    std::string fault_;
};

Block* running = nullptr;

// Stacks are kept between launches, because there are thousands of launches.
std::vector<std::unique_ptr<char[]>>& stacks() {
    static std::vector<std::unique_ptr<char[]>> pool;
    return pool;
}

void enter_fiber() { running->trampoline(); }

std::string name_of(const Place& place) {
    const std::string_view file(place.file);
    return std::string(file.substr(file.rfind('/') + 1)) + ":" + std::to_string(place.line);
}

// Records the place at its first use. Returns true if it is the place to break.
bool passes(std::vector<std::string>& known, const std::string& broken, const Place& place) {
    thread_local const char* last_file = "";
    thread_local int last_line = 0;
    thread_local std::vector<std::string>* last_list = nullptr;
    if (broken.empty() && last_file == place.file && last_line == place.line && last_list == &known) return false;
    last_file = place.file, last_line = place.line, last_list = &known;
    const std::string name = name_of(place);
    if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
    return name == broken;
}

void Block::start_fiber(int index) {
    Fiber& f = fibers_[static_cast<std::size_t>(index)];
    auto& pool = stacks();
    while (pool.size() <= static_cast<std::size_t>(index)) pool.push_back(std::make_unique<char[]>(kStackBytes));
    getcontext(&f.start);
    f.start.uc_stack.ss_sp = pool[static_cast<std::size_t>(index)].get();
    f.start.uc_stack.ss_size = kStackBytes;
    f.start.uc_link = nullptr;
    makecontext(&f.start, enter_fiber, 0);
}

void Block::trampoline() {
    kernel_();
    Fiber& f = fiber();
    f.done = true;
    ++finished_;
    _longjmp(scheduler_, 1);
}

void Block::resume(int index) {
    current_ = index;
    position_.thread = index;
    Fiber& f = fibers_[static_cast<std::size_t>(index)];
    if (_setjmp(scheduler_) != 0) return;
    if (f.started) _longjmp(f.resume, 1);
    f.started = true;
    setcontext(&f.start);
}

void Block::suspend() {
    if (_setjmp(fiber().resume) == 0) _longjmp(scheduler_, 1);
}

// Half of the blocks run each warp as far as it can go, which finds missing barriers soonest; the others pick any
// thread.
int Block::next_ready() {
    std::size_t pick = random_.below(static_cast<std::uint32_t>(ready_.size()));
    if (run_long_) {
        const int warp = current_ / kLanes;
        for (std::size_t i = 0; i < ready_.size(); ++i) {
            if (ready_[i] / kLanes == warp) pick = i;
        }
    }
    const int index = ready_[pick];
    ready_[pick] = ready_.back();
    ready_.pop_back();
    return index;
}

void Block::run() {
    run_long_ = random_.below(2) == 0;
    for (int i = 0; i < static_cast<int>(fibers_.size()); ++i) {
        start_fiber(i);
        ready_.push_back(i);
    }
    current_ = static_cast<int>(random_.below(static_cast<std::uint32_t>(fibers_.size())));
    running = this;
    while (fault_.empty() && !ready_.empty()) resume(next_ready());
    running = nullptr;
    if (fault_.empty() && finished_ < static_cast<int>(fibers_.size())) {
        fault_ = std::to_string(at_barrier_.size()) +
                 " threads wait at a barrier, or lanes for their warp, and the others are gone";
    }
    if (!fault_.empty()) {
        throw Fault("block (" + std::to_string(position_.block_x) + ", " + std::to_string(position_.block_y) + ", " +
                    std::to_string(position_.block_z) + "): " + fault_);
    }
}

void Block::fault(const std::string& what) {
    fault_ = "thread " + std::to_string(current_) + ": " + what;
    _longjmp(scheduler_, 1);
}

void Block::barrier(const Place& place) {
    if (passes(places().barriers, options().skip_barrier, place)) return;
    at_barrier_.push_back(current_);
    if (at_barrier_.size() < fibers_.size()) return suspend();
    ++era_;
    for (const int other : at_barrier_) {
        if (other != current_) ready_.push_back(other);
    }
    at_barrier_.clear();
}

Words Block::warp_collective(const Words& input, Compute compute) {
    Warp& warp = warps_[static_cast<std::size_t>(current_ / kLanes)];
    const int lane = current_ % kLanes;
    if (warp.arrived == 0) warp.collective = compute;
    if (warp.collective != compute) fault("lanes of one warp meet in different operations");
    warp.in[lane] = input;
    if (++warp.arrived < kLanes) {
        suspend();
        return warp.out[lane];
    }
    compute(warp.in, warp.out);
    warp.arrived = 0;
    const int first = current_ - lane;
    for (int i = first; i < first + kLanes; ++i) {
        if (i != current_) ready_.push_back(i);
    }
    return warp.out[lane];
}

void Block::check(std::uint32_t at, std::uint32_t bytes, const char* what) {
    if (at % bytes != 0)
        fault(std::string(what) + ": address " + std::to_string(at) + " is not a multiple of " + std::to_string(bytes));
    if (at + bytes > shared_.size())
        fault(std::string(what) + ": address " + std::to_string(at) + " is outside shared memory");
}

const std::uint8_t* Block::read(std::uint32_t at, std::uint32_t bytes, const char* what) {
    check(at, bytes, what);
    for (std::uint32_t i = at / 4; i < (at + bytes) / 4 && options().check_order; ++i) {
        Word& word = words_[i];
        if (word.copier >= 0) fault(std::string(what) + ": reads what a copy not yet waited for writes");
        if (word.written == era_ && word.writer != current_)
            fault(std::string(what) + ": no barrier since another thread wrote this");
        word.reader = word.read == era_ && word.reader != current_ ? -2 : current_;
        word.read = era_;
    }
    return shared_.data() + at;
}

void Block::check_write(std::uint32_t at, std::uint32_t bytes, bool by_copy) {
    for (std::uint32_t i = at / 4; i < (at + bytes) / 4; ++i) {
        Word& word = words_[i];
        if (options().check_order) {
            if (word.read == era_ && word.reader != current_)
                fault("writes what another thread may still read: no barrier between");
            if (word.written == era_ && word.writer != current_)
                fault("two threads write the same word: no barrier between");
            if (word.copier >= 0) fault("writes where a copy is under way");
        }
        if (by_copy) word.copier = current_;
        word.writer = current_;
        word.written = era_;
    }
}

void Block::write(std::uint32_t at, const void* from, std::uint32_t bytes, const char* what) {
    check(at, bytes, what);
    check_write(at, bytes, false);
    std::memcpy(shared_.data() + at, from, bytes);
}

void Block::copy16(std::uint32_t to, const void* from, bool in_bounds) {
    check(to, 16, "copy16");
    if (in_bounds && reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
        fault("copy16: the source is not 16-byte aligned");
    check_write(to, 16, true);
    Copy copy{to, {}, fiber().group, false};
    if (in_bounds) std::memcpy(copy.bytes, from, 16);
    if (random_.below(2) == 0) {
        std::memcpy(shared_.data() + to, copy.bytes, 16);
        copy.landed = true;
    }
    fiber().copies.push_back(copy);
}

void Block::land(Copy& copy) {
    if (!copy.landed) std::memcpy(shared_.data() + copy.to, copy.bytes, 16);
    for (std::uint32_t i = copy.to / 4; i < copy.to / 4 + 4; ++i) {
        words_[i].copier = -1;
        words_[i].writer = current_;
        words_[i].written = era_;
    }
}

void Block::wait_copies(int pending, const Place& place) {
    if (passes(places().waits, options().weak_wait, place)) ++pending;
    Fiber& f = fiber();
    const int bound = f.group - pending;
    auto kept = f.copies.begin();
    for (auto& copy : f.copies) {
        if (copy.group < bound) {
            land(copy);
        } else {
            *kept++ = copy;
        }
    }
    f.copies.erase(kept, f.copies.end());
}

}  // namespace

Options& options() {
    static Options current;
    return current;
}
Places& places() {
    static Places seen;
    return seen;
}
BankCount& bank_count() {
    static BankCount count;
    return count;
}

void launch(int blocks_x, int blocks_y, int blocks_z, int threads, int shared_bytes,
            const std::function<void()>& kernel) {
    Random random(options().seed);
    std::vector<Position> blocks;
    for (int z = 0; z < blocks_z; ++z) {
        for (int y = 0; y < blocks_y; ++y) {
            for (int x = 0; x < blocks_x; ++x) blocks.push_back({0, x, y, z, blocks_x});
        }
    }
    for (std::size_t i = blocks.size(); i > 1; --i)
        std::swap(blocks[i - 1], blocks[random.below(static_cast<std::uint32_t>(i))]);
    for (const Position& at : blocks) Block(threads, shared_bytes, kernel, at, random).run();
}

const Position& position() { return running->position(); }
void barrier(const Place& place) { running->barrier(place); }
Words warp_collective(const Words& input, Compute compute) { return running->warp_collective(input, compute); }
void copy16(std::uint32_t to, const void* from, bool in_bounds) { running->copy16(to, from, in_bounds); }
void commit_copies() { running->commit_copies(); }
void wait_copies(int pending, const Place& place) { running->wait_copies(pending, place); }
void load_floats(float* to, int count, std::uint32_t at) {
    const auto bytes = static_cast<std::uint32_t>(4 * count);
    std::memcpy(to, running->read(at, bytes, "ld.shared"), bytes);
}
void store_float(std::uint32_t at, float value) { running->write(at, &value, 4, "st.shared"); }

namespace {

// Does ldmatrix. Words 4 .. 7 of lane 8 m + r hold row r of matrix m; word 0 says whether to transpose.
void spread_matrices(const Words (&in)[kLanes], Words (&out)[kLanes]) {
    const bool transposed = in[0].w[0] != 0;
    for (int m = 0; m < 4; ++m) {
        std::uint16_t matrix[8][8];
        for (int r = 0; r < 8; ++r) std::memcpy(matrix[r], &in[8 * m + r].w[4], 16);
        for (int lane = 0; lane < kLanes; ++lane) {
            const int g = lane / 4, even = lane % 4 * 2, odd = even + 1;
            const std::uint32_t low = transposed ? matrix[even][g] : matrix[g][even];
            const std::uint32_t high = transposed ? matrix[odd][g] : matrix[g][odd];
            out[lane].w[m] = low | high << 16;
        }
        int busy[8] = {};
        for (int r = 0; r < 8; ++r) ++busy[in[8 * m + r].w[1] / 16 % 8];
        bank_count().phases += 1;
        bank_count().passes += *std::max_element(busy, busy + 8);
    }
}

}  // namespace

void load_matrices(std::uint32_t (&r)[4], std::uint32_t row, bool transposed) {
    Words input{};
    input.w[0] = transposed ? 1 : 0;
    input.w[1] = row;
    std::memcpy(&input.w[4], running->read(row, 16, "ldmatrix"), 16);
    const Words got = running->warp_collective(input, spread_matrices);
    std::memcpy(r, got.w, 16);
}

}  // namespace emulator
