// Describes what a position method adds to the attention scores: a sum of parts, each of which costs memory of the
// order of heads times length, and which a back-end adds while it computes the scores.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "longbow/core/choice.h"

namespace longbow {

// Names a part of BiasSpec, for what says which of them it needs or serves.
enum class BiasPart { slopes, query_slopes, key_slopes, table, places, curve, channel, positions, sinks, sink_logit };

template <>
struct ChoiceTable<BiasPart> {
    static constexpr Choice<BiasPart> values[] = {
        {BiasPart::slopes, "slopes", "a slope a head"},
        {BiasPart::query_slopes, "query slopes", "a slope a query"},
        {BiasPart::key_slopes, "key slopes", "a slope a key"},
        {BiasPart::table, "table", "a value for each distance"},
        {BiasPart::places, "terms by place", "a term a query and one a key"},
        {BiasPart::curve, "curve", "a curve of the distance, stretched by the query's place"},
        {BiasPart::channel, "channel scale", "a factor for each channel of queries and keys"},
        {BiasPart::positions, "given positions", "distances between positions that are not 0, 1, 2, .."},
        {BiasPart::sinks, "sinks", "first keys that every query sees"},
        {BiasPart::sink_logit, "sink logit", "a logit that takes part of each row's weight"}};
};

// A set of parts.
class BiasParts {
public:
    constexpr BiasParts() = default;
    constexpr BiasParts(std::initializer_list<BiasPart> parts) {
        for (const auto part : parts) bits_ |= bit(part);
    }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    [[nodiscard]] constexpr bool has(BiasPart part) const { return (bits_ & bit(part)) != 0; }
    constexpr void add(BiasPart part) { bits_ |= bit(part); }
    constexpr BiasParts& operator|=(BiasParts other) {
        bits_ |= other.bits_;
        return *this;
    }
    // Returns the parts that are in this set and not in `other`.
    [[nodiscard]] constexpr BiasParts without(BiasParts other) const {
        BiasParts rest;
        rest.bits_ = bits_ & ~other.bits_;
        return rest;
    }
    constexpr bool operator==(const BiasParts&) const = default;
    // Returns their names, "slopes, sinks", in the order of the enumeration.
    [[nodiscard]] std::string text() const;

private:
    static constexpr unsigned bit(BiasPart part) { return 1U << static_cast<unsigned>(part); }
    unsigned bits_ = 0;
};

// A curve for each head, made of straight pieces whose ends all heads share: the bias of query i and key j at distance
// d is offset[h, s] + slope[h, s] * u with u = warp[d] * row_scale[i], where s counts the knots that are below u. A
// perceptron of one hidden layer of ReLUs, with one input, is such a curve (FIRE, Li et al., 2024).
struct BiasCurve {
    at::Tensor warp{};             // [M], M at least the number of keys
    at::Tensor row_scale{};        // [Lq]
    at::Tensor knots{};            // [P], rising; no gradient
    at::Tensor offset{}, slope{};  // [heads, P + 1]
};

// Each member may be undefined; those that are not add up. They are added to the scores after these are scaled (by
// 1/sqrt(head_dim) if model.score_scale does not say otherwise); `distance` is i - j >= 0 from query i to key j. Each
// member has a default value, so that a method names only those that it needs and no compiler warns about the missing
// ones. fp32 stands for the model's wide type, which is fp64 in fp64 runs.
struct BiasSpec {
    at::Tensor slopes{};        // fp32 [heads]: -slope * distance
    at::Tensor query_slopes{};  // fp32 [batch, heads, Lq]: -slope of the query * distance
    at::Tensor key_slopes{};    // fp32 [batch, heads, Lk]: -slope of the key * distance
    at::Tensor table{};         // fp32 [heads, M]: table[h, min(distance, M - 1)]
    // Whether the table falls so far with the distance that a back-end may look for far keys that it makes negligible.
    bool table_fades = false;
    // fp32 or fp64 [1 or batch, heads, Lq] and [1 or batch, heads, Lk]: row of the query + column of the key. Either
    // may be missing. Large terms of opposite signs (FoX's sums of gates) are given in fp64 and summed in it.
    at::Tensor row{}, column{};
    std::optional<BiasCurve> curve{};
    // fp32 or fp64 [1 or batch, 1 or heads, Lk, head_dim], whose last Lq rows are the queries': each product
    // q[i, n] * k[j, n] of the scores is taken times exp(channel[i, n] - channel[j, n]).
    at::Tensor channel{};
    // int64 or the wide type [Lk], rising: distances are those between these. Undefined: 0, 1, 2, ..
    at::Tensor positions{};
    // fp32 [heads]: each row's weights sum to less than one, as if there were one more key of this score and no value.
    at::Tensor sink_logit{};
    // Keys further back than window - 1 places are hidden, save the first `sinks`; 0: none are. The model fills the
    // window in from the configuration.
    std::int64_t window = 0, sinks = 0;

    // Returns those of the members that are in use; the window is not one of them.
    [[nodiscard]] BiasParts parts() const;
    // Returns whether a defined member requires a gradient.
    [[nodiscard]] bool requires_grad() const;
    // Calls visit(tensor) for each defined member that is a tensor, in a fixed order.
    template <class Visit>
    void for_each_tensor(Visit&& visit) const {
        for_each(*this, visit);
    }
    template <class Visit>
    void for_each_tensor(Visit&& visit) {
        for_each(*this, visit);
    }

private:
    template <class Spec, class Visit>
    static void for_each(Spec& spec, Visit& visit) {
        const auto one = [&](auto& tensor) {
            if (tensor.defined()) visit(tensor);
        };
        for (auto* tensor : {&spec.slopes, &spec.query_slopes, &spec.key_slopes, &spec.table, &spec.row, &spec.column,
                             &spec.channel, &spec.positions, &spec.sink_logit})
            one(*tensor);
        if (!spec.curve) return;
        for (auto* tensor :
             {&spec.curve->warp, &spec.curve->row_scale, &spec.curve->knots, &spec.curve->offset, &spec.curve->slope})
            one(*tensor);
    }
};

}  // namespace longbow
