// What a training run takes of each rank's memory at the most, before it starts. The account follows an update through
// its moments (the output head, the backward pass of each layer, the embedding's gradient, a validation) and adds up
// what is alive at each; the plan is the moment with the most. Counted are tensors, as device_memory.h counts them: a
// GPU takes 0.5 to 1 GB more for CUDA's context and NCCL's buffers, a process on a CPU the program and the libraries'
// own buffers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

struct MemoryRequest {
    std::string device = "cpu";  // cpu | cuda | cuda:N; need not be there
    int threads = 1;
    int ranks = 1;
    std::int64_t valid_tokens = 0;  // of the validation split, as far as it is read while training; 0: no validation
};

struct MemoryTerm {
    std::string name;
    double bytes = 0;
};

struct MemoryPlan {
    std::string moment;  // when the peak is reached
    std::vector<MemoryTerm> terms;
    double total = 0;  // bytes on the device: the sum of the terms
    double snapshot =
        0;  // bytes in host memory of the copy from which rank 0 writes a checkpoint; a CPU's `total` has them
    std::string attention;  // the back-end that the account is for
};

// vocab_size: of the tokenizer. Throws ConfigError as building the model would.
MemoryPlan plan_memory(const Config& config, std::int64_t vocab_size, const MemoryRequest& request);

// The total on the first line, then a line a term.
std::string to_text(const MemoryPlan& plan);

}  // namespace longbow
