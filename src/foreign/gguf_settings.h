// The metadata of a GGUF file as settings of Longbow.
#pragma once

#include <string>
#include <vector>

#include "gguf_architecture.h"
#include "gguf_file.h"
#include "hf_family.h"

namespace longbow {

inline constexpr const char* kGgufOwnPrefix = "longbow.";
// Its keys: the name of the activation where an architecture has one of several forms of gelu, and the numbers of the
// scaling llama3, of which rope_freqs.weight has the result.
inline constexpr const char *kGgufActivation = "activation", *kGgufFactor = "rope.factor",
                            *kGgufLowFactor = "rope.low_freq_factor", *kGgufHighFactor = "rope.high_freq_factor",
                            *kGgufLength = "rope.original_length";

struct GgufLlama3 {
    double factor = 1.0, low = 1.0, high = 4.0;  // Llama 3.1's, in every release
    std::int64_t length = 8192;
};
// Returns by what the frequency of a pair (its angle per token) is divided.
double gguf_llama3_factor(double frequency, const GgufLlama3& scaling);
// Whether it is a form of gelu without a gate.
bool is_gelu(Activation activation);

class GgufSettings {
public:
    // Throws CheckpointError when the file has no general.architecture.
    explicit GgufSettings(const GgufFile& file);
    [[nodiscard]] std::string architecture() const { return prefix_.substr(0, prefix_.size() - 1); }
    // `factors` are those of rope_freqs.weight, if the file has it. Biases are left for the tensors to decide. Throws
    // CheckpointError for a key that is not known or means something that Longbow does not have.
    [[nodiscard]] HfSettings read(const GgufFile& file, const GgufArchitecture& architecture,
                                  const std::vector<float>& factors) const;

private:
    std::string prefix_;          // "llama."
    Json json_ = Json::object();  // the keys with that prefix, without it
    // Those of kGgufOwnPrefix: what an export of ours says beside, since the architecture has no key for it.
    Json own_ = Json::object();
};

}  // namespace longbow
