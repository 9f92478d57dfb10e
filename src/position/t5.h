// Implements the T5 bias: a learned number for each head and bucket of distances, added to the attention scores (Raffel
// et al., 2020). Near distances have a bucket each, farther ones share logarithmically wider buckets, and all distances
// past max_distance share the last bucket. Scores keep their factor 1/sqrt(head_dim), which T5 itself drops, because
// the ALiBi paper's models were built on fairseq's attention, which has it.
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// Returns the bucket of each distance 0 .. count-1, [count] int64. It is computed in fp32, as the Hugging Face port
// does.
at::Tensor t5_buckets(std::int64_t count, std::int64_t buckets, std::int64_t max_distance);

class T5Position : public PositionMethod {
public:
    explicit T5Position(const PositionContext& context);
    BiasSpec bias(const PositionCall& call) override;
    [[nodiscard]] bool bias_differs_by_layer() const override { return !shared_; }
    void reset_parameters() override;

private:
    std::int64_t dim_;
    bool shared_;
    bool zeros_;
    at::Tensor weight_;     // [buckets, heads], or [layers, buckets, heads] when each layer has its own table
    at::Tensor bucket_of_;  // [max_distance + 1]
};

}  // namespace longbow
