// Counts the memory of methods that compute attention themselves and hold more matrices than the textbook's scores and
// probabilities.
#pragma once

#include <cstdint>

namespace longbow {

struct AttendPass {
    std::int64_t batch = 1, heads = 1, length = 1;
    std::int64_t head_dim = 1;
    double wide = 4;       // bytes of an element of the type that attention is computed in
    bool dropout = false;  // of the probabilities
    // Bytes of a matrix [batch, heads, length, length].
    [[nodiscard]] double matrix() const {
        return static_cast<double>(batch * heads * length) * static_cast<double>(length) * wide;
    }
};

// Bytes beyond what the back-end `reference` counts, which has scores and probabilities.
struct AttendMemory {
    double kept = 0;        // from the forward to the backward pass
    double backward = 0;    // the most at once beside what is kept, in either pass
    double evaluation = 0;  // the most at once in a pass without gradients
};

// A position method whose attend() has such matrices is one of these, too.
class CountsAttendMemory {
public:
    CountsAttendMemory() = default;
    CountsAttendMemory(const CountsAttendMemory&) = default;
    CountsAttendMemory& operator=(const CountsAttendMemory&) = default;
    virtual ~CountsAttendMemory() = default;
    [[nodiscard]] virtual AttendMemory attend_memory(const AttendPass& pass) const = 0;
};

}  // namespace longbow
