// Shows that the emulator notices broken kernels: each barrier, each wait, the layout in shared memory and each bound
// are broken one at a time, and the comparison that passes for the correct kernels must fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "attention/kernels/cuda/device.h"
#include "emulator/attention_case.h"
#include "emulator/emulator.h"

namespace attention_test {
namespace {

using PlantedFault = longbow::device::PlantedFault;

Shape small_shape(int head_dim, longbow_dtype dtype) {
    Shape shape;
    shape.query_length = shape.key_length = 200;
    shape.head_dim = head_dim;
    shape.dtype = dtype;
    shape.slope = 0.02f;
    return shape;
}

std::vector<Shape> shapes() {
    std::vector<Shape> all(7, small_shape(64, LONGBOW_BF16));
    all[0].window = 100;
    all[1].lengths = {130};
    all[1].causal = false;
    all[2].bias = Shape::Bias::table;
    all[3] = small_shape(256, LONGBOW_BF16);
    all[3].query_length = all[3].key_length = 100;
    all[4].dtype = LONGBOW_F32;
    all[4].query_length = all[4].key_length = 100;
    all[5].heads = 2, all[5].kv_heads = 1;
    all[6].heads = 2, all[6].kv_heads = 1;
    all[6].bias = Shape::Bias::none;
    all[6].window = 40, all[6].places.sinks = 70;
    all[6].places.terms = true, all[6].places.gate = -0.01, all[6].places.shift = -1e6;
    // This one passes most places in little time, so it comes first.
    Shape& first = *all.insert(all.begin(), small_shape(64, LONGBOW_BF16));
    first.query_length = first.key_length = 70;
    first.bias = Shape::Bias::table, first.places.positions = PlaceParts::Positions::whole;
    return all;
}

// Whether wrong results or a violated rule show the fault.
bool noticed(Case& test) {
    const Shape& shape = test.shape;
    try {
        test.forward();
        test.backward(true);
        const auto errors = test.errors();
        return !(errors.out <= out_tolerance(shape.dtype) && errors.lse <= lse_tolerance(shape.dtype) &&
                 errors.worst_gradient() <= gradient_tolerance(shape.dtype));
    } catch (const emulator::Fault&) {
        return true;
    }
}

bool noticed_somewhere(const std::function<void()>& breakage) {
    static std::vector<std::unique_ptr<Case>> cases;
    if (cases.empty()) {
        for (const Shape& shape : shapes()) cases.push_back(std::make_unique<Case>(shape));
    }
    for (const auto& test : cases) {
        for (std::uint64_t seed = 1; seed <= 4; ++seed) {
            emulator::options() = {};
            emulator::options().seed = seed;
            breakage();
            const bool seen = noticed(*test);
            emulator::options() = {};
            if (seen) return true;
        }
    }
    return false;
}

// Every place that the correct kernels pass.
const emulator::Places& all_places() {
    EXPECT_FALSE(noticed_somewhere([] {}));
    return emulator::places();
}

TEST(Mutations, EveryBarrierIsMissed) {
    const auto places = all_places().barriers;
    ASSERT_GE(places.size(), 5u);
    for (const auto& place : places) {
        EXPECT_TRUE(noticed_somewhere([&] { emulator::options().skip_barrier = place; })) << place;
    }
}

// Without the check of order, as on a GPU, wrong numbers alone must show the fault.
TEST(Mutations, MissingBarriersGiveWrongNumbers) {
    for (const auto& place : all_places().barriers) {
        EXPECT_TRUE(noticed_somewhere([&] {
            emulator::options().skip_barrier = place, emulator::options().check_order = false;
        })) << place;
    }
}

TEST(Mutations, EveryWaitIsMissed) {
    const auto places = all_places().waits;
    ASSERT_GE(places.size(), 5u);
    for (const auto& place : places) {
        EXPECT_TRUE(noticed_somewhere([&] {
            emulator::options().weak_wait = place, emulator::options().check_order = false;
        })) << place;
    }
}

TEST(Mutations, WrongLayoutBoundsAndProductsAreNoticed) {
    for (const PlantedFault planted_fault :
         {PlantedFault::read_pitch, PlantedFault::causal_bound, PlantedFault::key_bound, PlantedFault::window_bound,
          PlantedFault::tf32_remainder, PlantedFault::sink_bound, PlantedFault::sink_gap, PlantedFault::low_terms,
          PlantedFault::kept_sums}) {
        const auto breakage = [&] {
            emulator::options().planted_fault = static_cast<int>(planted_fault),
            emulator::options().check_order = false;
        };
        EXPECT_TRUE(noticed_somewhere(breakage)) << "planted fault " << static_cast<int>(planted_fault);
    }
}

}  // namespace
}  // namespace attention_test
