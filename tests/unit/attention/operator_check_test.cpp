// Tests that the check behind `longbow doctor --attention` accepts the operator and finds what is wrong with others.
#include "longbow/attention/operator_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <limits>

namespace longbow {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

OperatorErrors check(const AttentionOperator& attend) { return check_operator("cpu", at::kFloat, attend); }

double worst(const OperatorErrors& errors, const std::string& name) {
    const auto found = std::find_if(errors.quantities.begin(), errors.quantities.end(),
                                    [&](const auto& quantity) { return quantity.name == name; });
    return found->worst;
}

TEST(OperatorCheck, AcceptsTheOperatorInEachType) {
    for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
        const auto errors = check_operator("cpu", type);
        EXPECT_THAT(errors.wrong, IsEmpty()) << type;
        EXPECT_EQ(errors.calls, 22);
        for (const auto& quantity : errors.quantities) EXPECT_GT(quantity.worst, 0.0) << quantity.name;
    }
}

TEST(OperatorCheck, FindsAnotherSlope) {
    const auto errors = check([](FusedAttentionCall call) {
        if (call.slopes) call.slopes = call.slopes->mul(1.001);
        return fused_attention(call);
    });
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("plain: out ")));
    EXPECT_THAT(errors.wrong, Not(Contains(HasSubstr("no bias"))));
    EXPECT_GT(worst(errors, "lse"), 1e-5);
}

TEST(OperatorCheck, FindsAMaskThatIsOneKeyOff) {
    const auto errors = check([](FusedAttentionCall call) {
        if (call.window > 0) ++call.window;
        return fused_attention(call);
    });
    EXPECT_EQ(errors.wrong.size(), 1U);
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("window: out ")));
}

TEST(OperatorCheck, FindsAnotherDropoutMask) {
    const auto errors = check([](FusedAttentionCall call) {
        ++call.dropout_offset;
        return fused_attention(call);
    });
    EXPECT_EQ(errors.wrong.size(), 1U);
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("dropout: out ")));
}

TEST(OperatorCheck, FindsKeysThatAreSkippedThoughTheyCount) {
    const auto errors = check([](FusedAttentionCall call) {
        call.skip_threshold = 2.0;
        return fused_attention(call);
    });
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("skipped keys: ")));
}

TEST(OperatorCheck, FindsAWrongGradient) {
    const auto errors = check([](const FusedAttentionCall& call) {
        auto [out, lse] = fused_attention(call);
        // The value is unchanged, and the gradient 1.01 times what it should be.
        return std::make_tuple(out.mul(1.01).sub(out.detach().mul(0.01)), lse);
    });
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("plain: dq ")));
    EXPECT_THAT(errors.wrong, Not(Contains(HasSubstr("out "))));
}

TEST(OperatorCheck, FindsAWrongGradientOfTheSlopes) {
    const auto errors = check([](FusedAttentionCall call) {
        if (call.slopes) call.slopes = call.slopes->mul(1.01).sub(call.slopes->detach().mul(0.01));
        return fused_attention(call);
    });
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("plain: dbias ")));
    EXPECT_THAT(errors.wrong, Not(Contains(HasSubstr("dq "))));
}

TEST(OperatorCheck, FindsNaN) {
    const auto errors = check([](const FusedAttentionCall& call) {
        auto [out, lse] = fused_attention(call);
        return std::make_tuple(out.mul(std::numeric_limits<double>::quiet_NaN()), lse);
    });
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("plain: out inf")));
}

TEST(OperatorCheck, FindsRowsThatSeeAKeyTheyMustNotSee) {
    const auto errors = check([](FusedAttentionCall call) {
        if (call.lengths) call.lengths = call.lengths->clamp_min(1);
        return fused_attention(call);
    });
    EXPECT_THAT(errors.wrong, Contains(HasSubstr("an empty sequence: lse is -inf for other rows")));
}

TEST(OperatorCheck, FindsResultsThatChange) {
    int calls = 0;
    const auto errors = check([&](const FusedAttentionCall& call) {
        auto [out, lse] = fused_attention(call);
        return std::make_tuple(out.mul(1.0 + 1e-7 * (++calls % 2)), lse);
    });
    EXPECT_THAT(errors.wrong, Contains("plain: a second call gives other bits"));
}

TEST(OperatorCheck, SaysWhatACallThrew) {
    const auto errors = check([](const FusedAttentionCall& call) -> std::tuple<at::Tensor, at::Tensor> {
        if (call.q.size(3) == 256) throw std::runtime_error("no such kernel\nwith a trace");
        return fused_attention(call);
    });
    EXPECT_THAT(errors.wrong, testing::ElementsAre("head_dim 256: no such kernel"));
}

}  // namespace
}  // namespace longbow
