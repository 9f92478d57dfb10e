// Tests that safetensors files are read as they were written, and that damage is named.
#include "longbow/checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "longbow/core/error.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

std::filesystem::path scratch(const char* name) {
    const auto path =
        std::filesystem::temp_directory_path() / ("longbow-safetensors-" + std::to_string(::getpid()) + name);
    return path;
}

TEST(Safetensors, RoundTripsEveryDtypeBitForBit) {
    torch::manual_seed(3);
    const auto base = torch::randn({5, 7}, torch::kDouble) * 40;
    std::vector<NamedTensor> tensors;
    for (const auto type : {torch::kDouble, torch::kFloat, torch::kHalf, torch::kBFloat16, torch::kLong, torch::kInt,
                            torch::kShort, torch::kChar}) {
        tensors.push_back({std::string("t.") + c10::toString(type), base.to(type)});
    }
    tensors.push_back({"view", base.t()});
    tensors.push_back({"scalar", torch::scalar_tensor(2.5)});
    tensors.push_back({"empty", torch::empty({0, 3})});
    const auto path = scratch("all");
    write_safetensors(path, tensors, {{"longbow.format", "1"}});
    const auto file = read_safetensors(path);
    std::filesystem::remove(path);
    EXPECT_EQ(file.metadata.at("longbow.format"), "1");
    ASSERT_EQ(file.tensors.size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
        const auto& read = file.tensors.at(name);
        EXPECT_TRUE(read.equal(tensor)) << name;
        EXPECT_EQ(read.sizes(), tensor.sizes());
        EXPECT_EQ(read.scalar_type(), tensor.scalar_type());
        if (read.numel() == 0) continue;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read.data_ptr()) % 64, 0u) << name;
    }
}

TEST(Safetensors, NamesAFileThatIsMissingOrDamaged) {
    const auto path = scratch("cut");
    EXPECT_THROW(read_safetensors(path), CheckpointError);
    write_safetensors(path, {{"a", torch::ones({100})}}, {});
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    try {
        read_safetensors(path);
        FAIL();
    } catch (const CheckpointError& error) {
        EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos);
    }
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace longbow
