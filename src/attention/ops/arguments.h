// Writes the order of each operator's arguments once. The dispatcher passes an operator its arguments one by one, in
// the order of its schema (ops.cpp). Here that order is a tuple of references to the members of a struct: it is read to
// make a call, and assigned to when a call arrives.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>

#include "longbow/attention/fused_attention.h"

namespace longbow {

// Holds what the derivative is given: the call, the gradient of its output, and the results of the forward pass.
struct BackwardCall : FusedAttentionCall {
    at::Tensor grad, out, lse, first_key_block;
    bool slopes_grad = false, table_grad = false;  // whether these two are wanted
    bool query_slopes_grad = false, key_slopes_grad = false, row_grad = false, column_grad = false,
         sink_logit_grad = false;
};

using ForwardResult = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // out, lse, first_key_block
using BackwardResult =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;  // dq, dk, dv, dslopes, dtable
// These, dquery_slopes, dkey_slopes, drow, dcolumn and dsink_logit.
using PartsBackwardResult = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor,
                                       at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

template <class Call>
auto tensors_of(Call& c) {
    return std::tie(c.q, c.k, c.v);
}

template <class Call>
auto numbers_of(Call& c) {
    return std::tie(c.causal, c.window, c.dropout, c.dropout_seed, c.dropout_offset);
}

template <class Call>
auto bias_and_numbers_of(Call& c) {
    return std::tuple_cat(std::tie(c.slopes, c.table, c.lengths), numbers_of(c));
}

template <class Call>
auto parts_of(Call& c) {
    return std::tie(c.query_slopes, c.key_slopes, c.row, c.column, c.sink_logit, c.sinks, c.positions, c.skip_by_table);
}

// Describes the operators. Those that fused_attention calls take the scale as a number, so their calls must have one.
struct FusedAttentionOperator {
    static constexpr auto kName = "fused_attention";
    using Call = FusedAttentionCall;
    using Result = std::tuple<at::Tensor, at::Tensor>;
    template <class C>
    static auto arguments(C& c) {
        return std::tuple_cat(tensors_of(c), bias_and_numbers_of(c), std::tie(c.scale, c.skip_threshold), parts_of(c));
    }
};

struct ForwardOperator {
    static constexpr auto kName = "fused_attention_forward";
    using Call = FusedAttentionCall;
    using Result = ForwardResult;
    template <class C>
    static auto arguments(C& c) {
        return std::tuple_cat(tensors_of(c), bias_and_numbers_of(c), std::tie(*c.scale, c.skip_threshold));
    }
};

// The parts of FusedAttentionCall::has_parts() have operators of their own, so that calls by the schemas of before stay
// what they are.
struct PartsForwardOperator {
    static constexpr auto kName = "fused_attention_parts_forward";
    using Call = FusedAttentionCall;
    using Result = ForwardResult;
    template <class C>
    static auto arguments(C& c) {
        return std::tuple_cat(ForwardOperator::arguments(c), parts_of(c));
    }
};

struct BackwardOperator {
    static constexpr auto kName = "fused_attention_backward";
    using Call = BackwardCall;
    using Result = BackwardResult;
    template <class C>
    static auto arguments(C& c) {
        return std::tuple_cat(std::tie(c.grad), tensors_of(c), std::tie(c.out, c.lse, c.first_key_block),
                              bias_and_numbers_of(c), std::tie(*c.scale, c.slopes_grad, c.table_grad));
    }
};

struct PartsBackwardOperator {
    static constexpr auto kName = "fused_attention_parts_backward";
    using Call = BackwardCall;
    using Result = PartsBackwardResult;
    template <class C>
    static auto arguments(C& c) {
        return std::tuple_cat(
            BackwardOperator::arguments(c), parts_of(c),
            std::tie(c.query_slopes_grad, c.key_slopes_grad, c.row_grad, c.column_grad, c.sink_logit_grad));
    }
};

struct VisitedOperator {
    static constexpr auto kName = "visited_fraction";
    using Call = FusedAttentionCall;
    using Result = at::Tensor;
    template <class C>
    static auto arguments(C& c) {
        return std::tuple_cat(std::tie(c.q, c.k, c.slopes, c.causal, c.window, c.scale, c.skip_threshold), parts_of(c));
    }
};

// Is the operator's type for the dispatcher: numbers by value, tensors by reference.
template <class Result, class Arguments>
struct SignatureFrom;
template <class Result, class... Members>
struct SignatureFrom<Result, std::tuple<Members&...>> {
    using Type =
        Result(std::conditional_t<std::is_trivially_copyable_v<Members>, std::remove_const_t<Members>, Members&>...);
};
template <class Operator>
using SignatureOf =
    typename SignatureFrom<typename Operator::Result,
                           decltype(Operator::arguments(std::declval<const typename Operator::Call&>()))>::Type;

// Calls the operator through the dispatcher, which chooses the kernel by the tensors' device.
template <class Operator>
typename Operator::Result dispatch(const typename Operator::Call& call) {
    static const auto op = c10::Dispatcher::singleton()
                               .findSchemaOrThrow((std::string("longbow::") + Operator::kName).c_str(), "")
                               .template typed<SignatureOf<Operator>>();
    return std::apply([](const auto&... arguments) { return op.call(arguments...); }, Operator::arguments(call));
}

// Makes `kFunction`, which takes a call struct, into a function that the dispatcher can call.
template <class Operator, auto kFunction, class Signature = SignatureOf<Operator>>
struct Received;
template <class Operator, auto kFunction, class... Arguments>
struct Received<Operator, kFunction, typename Operator::Result(Arguments...)> {
    static typename Operator::Result run(Arguments... arguments) {
        typename Operator::Call call{};
        call.scale.emplace();  // operators that take the scale as a number assign to it
        Operator::arguments(call) = std::tie(arguments...);
        return kFunction(std::move(call));
    }
};

// Registers such a function with `m`, which TORCH_LIBRARY_IMPL defines.
template <class Operator, auto kFunction, class Library>
void implement(Library& m) {
    m.impl(Operator::kName, &Received<Operator, kFunction>::run);
}

}  // namespace longbow
