// Tests the reader of zip archives: it finds the records, and refuses what torch.save never writes.
#include "foreign/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder.h"

namespace longbow {
namespace {

using namespace test;
using testing::HasSubstr;

std::string refusal(const std::string& file) {
    return error_of([&] { read_zip_directory(bytes_of(file), "a.pt"); });
}

std::string contents(const ZipRecord& record) {
    return {reinterpret_cast<const char*>(record.bytes.data()), record.bytes.size()};
}

const std::vector<ZipEntry> kThree = {{"a/data.pkl", "pickle"}, {"a/data/0", "twelve bytes"}, {"a/empty", ""}};

TEST(ZipArchive, FindsItsRecords) {
    for (const bool zip64_end : {false, true}) {
        auto entries = kThree;
        entries[1].zip64 = zip64_end;
        const auto file = zip(entries, zip64_end);
        const auto records = read_zip_directory(bytes_of(file), "a.pt");
        ASSERT_EQ(records.size(), 3u);
        EXPECT_EQ(contents(records.at("a/data.pkl")), "pickle");
        EXPECT_EQ(contents(records.at("a/data/0")), "twelve bytes");
        EXPECT_EQ(contents(records.at("a/empty")), "");
        for (const auto& [name, record] : records) EXPECT_NO_THROW(check_crc(record.bytes, record.crc, name));
    }
}

TEST(ZipArchive, ACommentMayFollow) {
    auto file = zip(kThree);
    file.replace(file.size() - 2, 2, little(7, 2));
    EXPECT_EQ(read_zip_directory(bytes_of(file + "comment"), "a.pt").size(), 3u);
    EXPECT_THAT(refusal(file + "commen"), HasSubstr("no table of contents"));
}

TEST(ZipArchive, ChecksumsOfChangedBytesDiffer) {
    auto file = zip(kThree);
    file[file.find("twelve")] ^= 1;
    const auto record = read_zip_directory(bytes_of(file), "a.pt").at("a/data/0");
    EXPECT_THAT(error_of([&] { check_crc(record.bytes, record.crc, "a.pt: it"); }),
                HasSubstr("a.pt: it is damaged: its checksum is"));
    EXPECT_NO_THROW(check_crc(record.bytes, 0, "written without a checksum"));
}

TEST(ZipArchive, RefusesWhatTorchNeverWrites) {
    EXPECT_THAT(refusal(zip({{"a", "x"}, {"a", "y"}})), HasSubstr("two records are named \"a\""));
    EXPECT_THAT(refusal(zip({{"a", "xyz", 8}})), HasSubstr("is compressed"));
    EXPECT_THAT(refusal(zip({{"a", "xyz", 0, 1}})), HasSubstr("encrypted"));
    auto disks = zip(kThree);
    disks[disks.size() - 18] = 1;
    EXPECT_THAT(refusal(disks), HasSubstr("several disks"));
}

TEST(ZipArchive, RefusesSizesBeyondTheFile) {
    for (const std::uint64_t size : {std::uint64_t{1} << 20, std::uint64_t{1} << 40, ~std::uint64_t{1}}) {
        auto entries = kThree;
        entries[2].claimed = size;
        entries[2].zip64 = true;
        EXPECT_THAT(refusal(zip(entries, true)), HasSubstr("more bytes are due")) << size;
    }
}

TEST(ZipArchive,
     RefusesOverlaps) {  // one record's bytes counted many times is how a zip file unpacks to more than it holds
    auto entries = kThree;
    entries[0].claimed = 60;
    EXPECT_THAT(refusal(zip(entries)), HasSubstr("overlap"));
}

TEST(ZipArchive, RefusesTablesThatDoNotFit) {
    const auto whole = zip(kThree);
    for (std::size_t size = 0; size < whole.size(); ++size)
        ASSERT_THAT(refusal(whole.substr(0, size)), HasSubstr("a.pt is damaged")) << size;
    const auto changed = [&](std::size_t from_end, std::uint64_t value, int bytes) {
        auto file = whole;
        file.replace(file.size() - from_end, static_cast<std::size_t>(bytes), little(value, bytes));
        return refusal(file);
    };
    EXPECT_THAT(changed(6, 0xfffffffe, 4), HasSubstr("outside the file"));   // the directory's position
    EXPECT_THAT(changed(10, 0xfffffffe, 4), HasSubstr("outside the file"));  // the directory's size
    EXPECT_THAT(changed(6, 1, 4), HasSubstr("table of contents is broken"));
    EXPECT_THAT(changed(14, little(0, 1)[0], 1), HasSubstr("several disks"));  // fewer entries on this disk
    EXPECT_THAT(changed(12, 0xffff, 2), HasSubstr("the zip64 locator is missing"));
    auto fewer = whole;
    fewer.replace(fewer.size() - 14, 4, little(2, 2) + little(2, 2));
    EXPECT_THAT(refusal(fewer), HasSubstr("longer than its entries"));
    auto renamed = whole;
    renamed[renamed.find("a/empty")] = 'b';  // in the local header only
    EXPECT_THAT(refusal(renamed), HasSubstr("carries another name"));
}

}  // namespace
}  // namespace longbow
