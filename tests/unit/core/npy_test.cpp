// Tests headers of NumPy files: as NumPy writes them, and damaged.
#include "longbow/core/npy.h"

#include <gmock/gmock.h>

#include "longbow/core/error.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using testing::HasSubstr;

// Puts magic, version and length in front of a header's text.
std::string file_of(const std::string& header, int version = 1) {
    std::string bytes = "\x93NUMPY";
    bytes += static_cast<char>(version);
    bytes += '\0';
    for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
    return bytes + header;
}

std::string fault_of(const std::string& bytes) {
    return test::error_of<DataError>([&] { read_npy_header(bytes, "a.npy"); });
}

TEST(Npy, ReadsWhatNumpyWrites) {
    for (const int version : {1, 2, 3}) {
        const auto header =
            read_npy_header(file_of("{'descr': '>u2', 'fortran_order': False, 'shape': (3,), }      \n", version), "a");
        EXPECT_EQ(header.type(), ">u2");
        EXPECT_EQ(header.shape, std::vector<std::int64_t>{3});
        EXPECT_FALSE(header.fortran_order);
        EXPECT_EQ(header.data_begin, file_of("", version).size() + 64);
    }
    const auto old = read_npy_header(file_of("{'shape': (2L, 4L), 'fortran_order': True, 'descr': '|i1'}"), "a");
    EXPECT_EQ(old.shape, (std::vector<std::int64_t>{2, 4}));
    EXPECT_TRUE(old.fortran_order);
    EXPECT_EQ(old.item_size, 1U);
    EXPECT_TRUE(read_npy_header(file_of("{'descr': '=f8', 'fortran_order': False, 'shape': ()}"), "a").shape.empty());
}

TEST(Npy, ReadsWhatItWrites) {
    const auto bytes = npy_header("<f8", 300);
    EXPECT_EQ(bytes.size() % 64, 0U);
    const auto header = read_npy_header(bytes, "a");
    EXPECT_EQ(header.type(), "<f8");
    EXPECT_EQ(header.shape, std::vector<std::int64_t>{300});
    EXPECT_EQ(header.data_begin, bytes.size());
}

TEST(Npy, WhatIsNoHeaderIsRefused) {
    EXPECT_THAT(fault_of(""), HasSubstr("a.npy is not a NumPy file"));
    EXPECT_THAT(fault_of("PK\x03\x04 an archive"), HasSubstr("numpy.save"));
    EXPECT_THAT(fault_of(file_of("{}", 4)), HasSubstr("version 4"));
    EXPECT_THAT(fault_of(file_of("{'descr': '<i8'}").substr(0, 14)), HasSubstr("cut off"));
    EXPECT_THAT(fault_of("\x93NUMPY\x01"), HasSubstr("cut off"));
    EXPECT_THAT(fault_of(file_of("{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (3,)}")),
                HasSubstr("structures"));
    for (const char* type : {"", "<", "<i", "<M8[ns]", "object", "<i12345678901",
                             "<\xff"
                             "8"}) {
        EXPECT_THAT(fault_of(file_of(std::string("{'descr': '") + type + "', 'fortran_order': False, 'shape': (3,)}")),
                    HasSubstr("not numbers"))
            << type;
    }
    for (const char* header : {"", "{"}) EXPECT_THAT(fault_of(file_of(header)), HasSubstr("cut off")) << header;
    for (const char* header :
         {"{}", "{'descr': '<i8', 'shape': (3,)}", "{'descr': '<i8', 'fortran_order': 0, 'shape': (3,)}",
          "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
          "{'descr': '<i8', 'fortran_order': False, 'shape': (-3,)}",
          "{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
          "{'descr': '<i8', 'fortran_order': False, 'shape': 3}",
          "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)} and more",
          "{'descr': '<i8', 'descr': '<i8', 'fortran_order': False, 'shape': (3,)}"}) {
        EXPECT_THAT(fault_of(file_of(header)), HasSubstr("not one that NumPy writes")) << header;
    }
}

}  // namespace
}  // namespace longbow
