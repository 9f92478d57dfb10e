// The T5 bias: a learned number a head for each bucket of distances, added to the attention scores (Raffel et al., 2020). Near
// distances have a bucket each, farther ones share logarithmically wider buckets, and everything past max_distance shares the last.
// Scores keep their 1/sqrt(head_dim) (T5 itself drops it; the ALiBi paper's models were built on fairseq's attention, which has it).
#pragma once

#include "longbow/position/position_method.h"

namespace longbow {

// Bucket of each distance 0 .. count-1 (one-sided) -> [count] int64. In fp32, as the Hugging Face port computes it.
at::Tensor t5_buckets(std::int64_t count, std::int64_t buckets, std::int64_t max_distance);

class T5Position : public PositionMethod {
public:
    explicit T5Position(const PositionContext& context);
    BiasSpec bias(std::int64_t layer) override;
    [[nodiscard]] bool bias_differs_by_layer() const override { return !shared_; }
    void reset_parameters() override;

private:
    std::int64_t dim_;
    bool shared_;
    bool zeros_;
    at::Tensor weight_;     // [buckets, heads], or [layers, buckets, heads] when every layer has its own
    at::Tensor bucket_of_;  // [max_distance + 1]
};

}  // namespace longbow
