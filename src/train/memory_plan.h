// Plans the peak memory of each rank of a training run before it starts. The plan follows an update through its moments
// (the output head, the backward pass of each layer, the embedding's gradient, a validation), adds up what exists at
// each, and takes the moment with the most. Only tensors are counted, as in device_memory.h: a GPU needs 0.5 to 1 GB
// more for CUDA's context and NCCL's buffers, a process on a CPU also the program and the libraries' buffers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

struct MemoryRequest {
    std::string device = "cpu";  // cpu | cuda | cuda:N; need not exist on this machine
    int threads = 1;
    int ranks = 1;
    std::int64_t valid_tokens = 0;  // of the validation split, as far as it is read during training; 0: no validation
};

struct MemoryTerm {
    std::string name;
    double bytes = 0;
};

struct MemoryPlan {
    std::string moment;  // when the peak is reached
    std::vector<MemoryTerm> terms;
    double total = 0;  // bytes on the device: the sum of the terms
    // Bytes in host memory of the copy from which rank 0 writes a checkpoint; on a CPU, `total` includes them.
    double snapshot = 0;
    std::string attention;  // the back-end that the plan is for
};

// vocab_size is the tokenizer's. Throws ConfigError as building the model would.
MemoryPlan plan_memory(const Config& config, std::int64_t vocab_size, const MemoryRequest& request);

// Writes the total on the first line, then one line for each term.
std::string to_text(const MemoryPlan& plan);

}  // namespace longbow
