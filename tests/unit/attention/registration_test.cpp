// An attention back-end of a user's own: registered here and nowhere else, reached by a configuration.
#include <ATen/ops/arange.h>
#include <gmock/gmock.h>
#include <torch/types.h>

#include "longbow/attention/attention_backend.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"

namespace longbow {
namespace {

using testing::HasSubstr;

// All keys that a query sees weigh the same.
class Averaging final : public AttentionBackend {
public:
    explicit Averaging(double gain) : gain_(gain) {}
    at::Tensor forward(const AttentionInput& in) override {
        const auto seen = at::arange(in.k.size(2) - in.q.size(2) + 1, in.k.size(2) + 1, in.v.options()).view({-1, 1});
        return in.v.cumsum(2).slice(2, in.k.size(2) - in.q.size(2)).div(seen).mul(gain_);
    }
    [[nodiscard]] AttentionMemory memory(const AttentionRequest&, const AttentionPass&) const override { return {}; }

private:
    double gain_;
};

LONGBOW_REGISTER_ATTENTION({.name = "averaging",
                            .help = "The mean of the values so far",
                            .preference = -2,
                            .options = {{"gain", 2.0, "Factor on the mean", {}, 0.0, 10.0}},
                            .refuses = [](const AttentionRequest& request) -> std::string {
                                return request.dropout > 0 ? "a mean drops nothing" : "";
                            },
                            .make =
                                [](const AttentionRequest& request) {
                                    return std::make_unique<Averaging>(option_double(request.options, "gain"));
                                }});

Config configured(const std::string& yaml) { return parse_config(yaml, "x.yaml", registered_config_context()); }

template <class Function>
std::string refusal(const Function& function) {
    try {
        function();
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

at::Tensor forward(const AttentionConfig& config) {
    AttentionRequest request;
    request.options = config.options;
    AttentionInput in;
    in.q = in.k = torch::zeros({1, 1, 3, 1});
    in.v = torch::tensor({1.0F, 3.0F, 8.0F}).view({1, 1, 3, 1});
    const auto backend = make_attention_backend(config.backend, request);
    EXPECT_EQ(backend->name(), config.backend);
    return backend->forward(in).flatten();
}

TEST(Registration, ABackendNeedsItsOwnFileAlone) {
    const auto config = configured("attention: {backend: averaging, gain: 3.0}");
    EXPECT_TRUE(forward(config.attention).equal(torch::tensor({3.0F, 6.0F, 12.0F})));
    AttentionConfig unfilled;
    unfilled.backend = "averaging";
    EXPECT_TRUE(forward(unfilled).equal(torch::tensor({2.0F, 4.0F, 8.0F}))) << "the declared default";
    // Its option is written, read back, and refused elsewhere; shared keys that it does not read are refused with it.
    const auto& context = registered_config_context();
    EXPECT_THAT(config_yaml(config, context), HasSubstr("gain: 3"));
    EXPECT_EQ(parse_config(config_yaml(config, context), "again", context), config);
    EXPECT_THAT(refusal([] { configured("attention: {backend: sdpa, gain: 3.0}"); }),
                HasSubstr("it needs attention.backend: averaging, and attention.backend is sdpa"));
    EXPECT_THAT(refusal([] { configured("attention: {backend: averaging, skip_threshold: 9.0}"); }),
                HasSubstr("it needs attention.backend: auto or fused"));
    EXPECT_THAT(refusal([] { configured("attention: {backend: avreaging}"); }), HasSubstr("averaging"));
}

TEST(Registration, ItSaysWhatItCannotServeAndWhetherAutoTakesIt) {
    AttentionRequest request;
    request.dropout = 0.1;
    EXPECT_THAT(
        refusal([&] { make_attention_backend("averaging", request); }),
        HasSubstr("averaging cannot serve this configuration: a mean drops nothing; these can serve it: auto, "));
    request.dropout = 0.0;
    request.dtype = DType::fp64;  // which fused cannot serve
    EXPECT_EQ(make_attention_backend("auto", request)->name(), "sdpa");
    EXPECT_EQ(attention_backend_names().back(), "averaging") << "the least preferred";
}

TEST(Registration, NamesAreTakenOnce) { EXPECT_THROW(register_attention_backend({.name = "fused"}), ConfigError); }

}  // namespace
}  // namespace longbow
