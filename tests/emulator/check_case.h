// Runs a case of attention under several schedules of the emulator: the results must be right by fp64 and have the same
// bits each time, because warps do not exchange numbers in an order that may vary.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "emulator/attention_case.h"
#include "emulator/emulator.h"

namespace attention_test {

enum class Passes { forward, both };

inline void check_case(const Shape& shape, Passes passes, std::uint64_t schedules) {
    std::vector<double> first;
    Case test(shape);
    for (std::uint64_t schedule = 1; schedule <= schedules; ++schedule) {
        emulator::options() = {};
        emulator::options().seed = schedule;
        test.forward();
        if (passes == Passes::both) test.backward(true);
        const auto errors = test.errors();
        EXPECT_LE(errors.out, out_tolerance(shape.dtype)) << "schedule " << schedule;
        EXPECT_LE(errors.lse, lse_tolerance(shape.dtype)) << "schedule " << schedule;
        if (passes == Passes::both) {
            const double tolerance = gradient_tolerance(shape.dtype);
            EXPECT_LE(errors.dq, tolerance) << "schedule " << schedule;
            EXPECT_LE(errors.dk, tolerance) << "schedule " << schedule;
            EXPECT_LE(errors.dv, tolerance) << "schedule " << schedule;
            EXPECT_LE(errors.dslopes, tolerance) << "schedule " << schedule;
            EXPECT_LE(errors.dtable, tolerance) << "schedule " << schedule;
            EXPECT_LE(errors.dplaces, tolerance) << "schedule " << schedule;
        }
        EXPECT_TRUE(test.guards_whole());
        if (schedule == 1) first = test.raw_results();
        EXPECT_EQ(test.raw_results(), first) << "schedule " << schedule;
    }
}

}  // namespace attention_test
