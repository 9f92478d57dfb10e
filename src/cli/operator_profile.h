// Profiles where the time of some work goes, by ATen operator and the shapes of its inputs.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace longbow {

struct OperatorTime {
    std::string name;      // "aten::mm [2048,256] [256,768]"
    double seconds = 0.0;  // without the operators that it called
    int calls = 0;
};

// Runs `work` under LibTorch's profiler and returns the operators, those with the most time first. The profiler itself
// costs a few microseconds for each call.
std::vector<OperatorTime> operator_profile(const std::function<void()>& work);

}  // namespace longbow
