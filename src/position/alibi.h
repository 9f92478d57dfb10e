// Implements ALiBi: each head subtracts slope * distance from its attention scores (Press, Smith, Lewis, ICLR 2022,
// section 3).
#pragma once

#include <vector>

#include "longbow/core/choice.h"
#include "longbow/position/position_method.h"

namespace longbow {

enum class SlopeRule { authors, geometric };
template <>
struct ChoiceTable<SlopeRule> {
    static constexpr Choice<SlopeRule> values[] = {{SlopeRule::authors, "authors", "as in the authors' release"},
                                                   {SlopeRule::geometric, "geometric", "2^(-bias_max i/heads)"}};
};

// How exact the bias is.
enum class AlibiRounding { none, falcon };
template <>
struct ChoiceTable<AlibiRounding> {
    static constexpr Choice<AlibiRounding> values[] = {
        {AlibiRounding::none, "none", "-slope * distance"},
        {AlibiRounding::falcon, "falcon",
         "slope * place of the key, where both and the product are rounded to bf16, as transformers computes Falcon; no "
         "far keys are left out then"}};
};

// Returns the slopes of `heads` heads, in fp64. The rule "geometric" gives 2^(-bias_max i/heads), i = 1..heads.
// "authors" gives the same when `heads` is a power of two; otherwise it gives the slopes of the next lower power of
// two, followed by every second slope of the next higher one, as the authors' release does. That list is not monotone:
// for 12 heads and bias_max 8 it ends with 2^-0.5, 2^-1.5, 2^-2.5, 2^-3.5.
std::vector<double> alibi_slopes(std::int64_t heads, SlopeRule rule, double bias_max = 8.0);

class AlibiPosition : public PositionMethod {
public:
    explicit AlibiPosition(const PositionContext& context);
    BiasSpec bias(const PositionCall& call) override;
    [[nodiscard]] bool bias_differs_by_layer() const override { return trained_.defined(); }
    [[nodiscard]] bool depends_on_length() const override { return interpolates_; }
    void reset_parameters() override;

private:
    // Returns the slopes [heads] of a layer in a window of this length.
    [[nodiscard]] at::Tensor slopes_of(std::int64_t layer, std::int64_t length) const;
    // Returns the bias of each head and key, [1, heads, keys]. Rows of scores may differ by a constant from the exact
    // form without effect, so that places of keys serve for distances.
    at::Tensor rounded_column(std::int64_t keys);

    AlibiRounding rounding_;
    double scale_;
    at::Tensor slopes_;  // [heads]; a buffer, so that it is moved and converted with the model; unscaled if rounded
    bool interpolates_;
    std::int64_t train_length_;
    at::Tensor trained_;  // [layers, heads], the logarithms of slopes that are trained; else undefined
    at::Tensor column_;   // of at least as many keys as the last call had
};

}  // namespace longbow
