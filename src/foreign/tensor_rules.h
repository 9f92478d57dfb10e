// Says for each tensor of a model of Longbow which elements of which tensor of a file it has. A family lists its rules;
// hf_model.cpp and gguf_model.cpp then look the tensors up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

struct TensorRule {
    std::string ours, theirs;
    bool prefixed = true;  // the folder's prefix stands before `theirs`
    std::vector<std::int64_t> ours_shape, theirs_shape;
    std::int64_t offset = 0;  // as in PlacedTensor
    std::vector<std::int64_t> sizes, strides;
};

class TensorRules {
public:
    using Sizes = std::vector<std::int64_t>;

    // The same elements in the same order.
    void whole(const std::string& ours, const std::string& theirs, const Sizes& shape, bool prefixed = true);
    // .weight [out, in] and, with `bias`, .bias [out].
    void linear(const std::string& ours, const std::string& theirs, std::int64_t out, std::int64_t in, bool bias,
                bool prefixed = true);
    // The same of a file that has the weight as [in, out].
    void transposed_linear(const std::string& ours, const std::string& theirs, std::int64_t out, std::int64_t in,
                           bool bias);
    // .weight and, where the model's norms have one, .bias. Nothing where norms have no weights.
    void norm(const ModelConfig& model, const std::string& ours, const std::string& theirs);
    // q, k and v as rows of one matrix theirs.weight [all, dim], and with a bias of theirs.bias [all]. The rows are in
    // `groups` groups, each with first its queries, then its keys, then its values. One group: q, then k, then v as
    // blocks. As many groups as heads: by head. Between: Falcon's.
    void grouped_rows(const ModelConfig& model, const std::string& ours, const std::string& theirs, std::int64_t groups,
                      bool bias);
    // The same as columns q, k, v of theirs.weight [dim, all], as GPT-2 has them.
    void block_columns(const ModelConfig& model, const std::string& ours, const std::string& theirs, bool bias);
    void add(TensorRule rule) { rules_.push_back(std::move(rule)); }

    [[nodiscard]] const std::vector<TensorRule>& all() const { return rules_; }

private:
    std::vector<TensorRule> rules_;
};

}  // namespace longbow
