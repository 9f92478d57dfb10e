// Tests that a safetensors header is read as it was built, and that damage is refused.
#include "longbow/core/safetensors_header.h"

#include <gtest/gtest.h>

#include "longbow/core/error.h"

namespace longbow {
namespace {

std::string file_of(const std::string& json, std::size_t data_bytes) {
    std::string file(8, '\0');
    for (int i = 0; i < 8; ++i) file[static_cast<std::size_t>(i)] = static_cast<char>(json.size() >> (8 * i) & 0xff);
    return file + json + std::string(data_bytes, 'x');
}

SafetensorsHeader parse(const std::string& file) {
    return parse_safetensors_header(std::as_bytes(std::span(file.data(), file.size())), "weights");
}

std::string error_of(const std::string& file) {
    try {
        parse(file);
    } catch (const CheckpointError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(SafetensorsHeader, ReadsWhatItBuilds) {
    SafetensorsHeader header;
    header.metadata["longbow.format"] = "1";
    header.tensors = {{"odd", "F32", {3}, 0, 0},
                      {"scalar", "F64", {}, 0, 0},
                      {"empty", "F32", {0, 4}, 0, 0},
                      {"b", "BF16", {5, 7}, 0, 0}};
    const std::string head = build_safetensors_header(header);
    EXPECT_EQ(head.size() % 64, 0u);
    const auto read = parse(head + std::string(header.tensors.back().end, 'x'));
    ASSERT_EQ(read.tensors.size(), 4u) << "the fillers stay inside";
    EXPECT_EQ(read.metadata, header.metadata);
    EXPECT_EQ(read.data_begin, head.size());
    for (const auto& entry : read.tensors) EXPECT_EQ((read.data_begin + entry.begin) % 64, 0u) << entry.name;
}

TEST(SafetensorsHeader, RefusesDamage) {
    const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    EXPECT_EQ(error_of(file_of(good, 8)), "accepted");
    const std::pair<std::string, const char*> cases[] = {
        {"short", "shorter than the 8 bytes"},
        {file_of(good, 8).substr(0, 30), "larger than the file"},
        {std::string(8, '\xff') + good, "larger than the file"},
        {file_of(good, 7), "outside the file"},
        {file_of(good, 9), "end before the file"},
        {file_of("{", 0), "not JSON"},
        {file_of(good + std::string(1, '\0') + "left over", 8), "not JSON"},
        {file_of("[]", 0), "not a JSON object"},
        {file_of(R"({"a":1})", 0), "lacks dtype"},
        {file_of(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", 8), "does not know"},
        {file_of(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "whole number"},
        {file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8), "does not fit"},
        {file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})", 8), "too large"},
        {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "outside the file"},
        {file_of(
             R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
             12),
         "overlaps"},
        {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12), "gap"},
        {file_of(
             R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
             8),
         "twice"},
        {file_of(R"({"__metadata__":{"k":3}})", 0), "__metadata__"},
    };
    for (const auto& [file, expected] : cases)
        EXPECT_NE(error_of(file).find(expected), std::string::npos) << error_of(file) << "\n" << expected;
}

}  // namespace
}  // namespace longbow
