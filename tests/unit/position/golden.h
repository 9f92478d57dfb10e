// Reads the numbers of independent programs about position methods (tests/golden/positions; each .json names its source
// and what it was checked against). LONGBOW_GOLDEN_POSITIONS names another folder of the same form.
#pragma once

#include <cstdlib>
#include <string>

#include "longbow/core/json.h"
#include "unit/golden_tensors.h"

namespace longbow::test {

struct PositionGolden {
    Json settings;
    Tensors tensors;
    // `shipped`: of this folder whatever the variable says.
    explicit PositionGolden(const std::string& name, bool shipped = false) {
        const char* other = shipped ? nullptr : std::getenv("LONGBOW_GOLDEN_POSITIONS");
        const auto stem =
            (other != nullptr ? other : std::string(LONGBOW_TEST_DATA) + "/golden/positions") + "/" + name;
        settings = Json::parse(read_file(stem + ".json"))["settings"];
        tensors = read_tensors(stem + ".safetensors");
    }
};

// The largest difference over the largest value.
inline double relative_error(const at::Tensor& found, const at::Tensor& expected) {
    const auto wide = expected.to(torch::kDouble);
    return found.to(torch::kDouble).sub(wide).abs().max().item<double>() / wide.abs().max().item<double>();
}

}  // namespace longbow::test
