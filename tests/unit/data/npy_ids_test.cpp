// Tests token ids in NumPy files: every integer type and byte order, and what is not a list of ids.
#include "longbow/data/npy_ids.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/npy.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class NpyIds : public testing::Test {
protected:
    void TearDown() override { fs::remove(path_); }

    // Writes an array of these values, whose elements are `size` bytes.
    void write(const std::string& type, std::size_t size, const std::vector<std::int64_t>& values) {
        auto bytes = npy_header(type, values.size());
        for (const auto value : values) {
            std::string item(reinterpret_cast<const char*>(&value), size);
            if (type[0] == '>') std::reverse(item.begin(), item.end());
            bytes += item;
        }
        write_file_atomic(path_, bytes);
    }
    [[nodiscard]] std::string fault() const {
        return test::error_of<DataError>([&] { read_npy_ids(path_); });
    }

    fs::path path_ = fs::temp_directory_path() / ("longbow-ids-" + std::to_string(::getpid()) + ".npy");
};

TEST_F(NpyIds, EveryIntegerTypeAndByteOrder) {
    for (const std::size_t size : {1, 2, 4, 8}) {
        for (const char kind : {'i', 'u'}) {
            for (const char order : {'<', '>'}) {
                const auto type = std::string{order, kind} + std::to_string(size);
                write(type, size, {5, 0, 127});
                EXPECT_THAT(read_npy_ids(path_), ElementsAre(5, 0, 127)) << type;
            }
        }
    }
    write(">u2", 2, {258, 65535});
    EXPECT_THAT(read_npy_ids(path_), ElementsAre(258, 65535));
    write("|u1", 1, {255});
    EXPECT_THAT(read_npy_ids(path_), ElementsAre(255));
    write("<u8", 8, {0xffffffff});
    EXPECT_THAT(read_npy_ids(path_), ElementsAre(0xffffffff));
}

TEST_F(NpyIds, WhatIsNoIdIsRefused) {
    write("<i8", 8, {3, -1});
    EXPECT_THAT(fault(), HasSubstr(".npy: -1 at index 1 is not a token id"));
    write("<i1", 1, {-128});
    EXPECT_THAT(fault(), HasSubstr("-128 at index 0"));
    write("<u8", 8, {-1});
    EXPECT_THAT(fault(), HasSubstr("18446744073709551615 at index 0"));
    write("<i8", 8, {0x100000000});
    EXPECT_THAT(fault(), HasSubstr("4294967296"));
}

TEST_F(NpyIds, WhatIsNoListOfIntegersIsRefused) {
    write("<f4", 4, {1, 2});
    EXPECT_THAT(fault(), HasSubstr("of type <f4, and token ids are integers"));
    write("|b1", 1, {1});
    EXPECT_THAT(fault(), HasSubstr("|b1"));
    write("<i8", 8, {});
    EXPECT_THAT(fault(), HasSubstr("no token ids"));
    write("<i8", 8, {1, 2, 3});
    const auto whole = read_file(path_);
    write_file_atomic(path_, whole.substr(0, whole.size() - 1));
    EXPECT_THAT(fault(), HasSubstr("23 bytes follow its header, which announces 3 elements of 8 bytes"));
    write_file_atomic(path_, whole + std::string(8, '\0'));
    EXPECT_THAT(fault(), HasSubstr("save the array again"));
    const std::string square = "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 3)}";
    auto bytes = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(square.size()) + '\0' + square;
    write_file_atomic(path_, bytes + std::string(24, '\0'));
    EXPECT_THAT(fault(), HasSubstr("its shape is (1, 3), and token ids have one dimension: save ids.ravel()"));
    write_file_atomic(path_, "1 2 3\n");
    EXPECT_THAT(fault(), HasSubstr("is not a NumPy file"));
    fs::remove(path_);
    EXPECT_THAT(fault(), HasSubstr("no such file"));
    path_ = fs::temp_directory_path();
    EXPECT_THAT(fault(), HasSubstr("write the array to a file"));
    path_ /= "longbow-no-ids.npy";
}

}  // namespace
}  // namespace longbow
