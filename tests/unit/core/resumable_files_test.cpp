// Tests what lets a writer continue in another process: checksums and files that go on where they ended, and the lock
// that keeps a second writer out.
#include <gmock/gmock.h>

#include <sys/wait.h>
#include <unistd.h>
#include <filesystem>
#include <string>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/random.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using test::error_of;
using testing::HasSubstr;

TEST(Hasher, HashesThePiecesAsTheWhole) {
    Random random(1);
    std::string data(70000, '\0');
    for (auto& byte : data) byte = static_cast<char>(random.below(256));
    for (const std::size_t size : {0U, 1U, 255U, 256U, 257U, 5000U, 70000U}) {
        const std::size_t cut = random.below(size + 1);
        Hasher hasher;
        hasher.update(data.data(), cut);
        EXPECT_EQ(hasher.digest(), fingerprint({data.data(), cut}));
        hasher.update(data.data() + cut, size - cut);
        EXPECT_EQ(hasher.digest(), fingerprint({data.data(), size})) << size << " cut at " << cut;
    }
}

class ResumableFiles : public testing::Test {
protected:
    ResumableFiles() : folder_(fs::temp_directory_path() / ("longbow-files-" + std::to_string(::getpid()))) {
        fs::create_directories(folder_);
    }
    ~ResumableFiles() override { fs::remove_all(folder_); }
    fs::path folder_;
};

// A file is hashed in pieces of 16 MiB.
TEST_F(ResumableFiles, HaveTheFingerprintOfTheirBytes) {
    const auto path = folder_ / "a";
    constexpr std::size_t kPiece = std::size_t{16} << 20;
    std::string data;
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, kPiece, 2 * kPiece + 7}) {
        while (data.size() < size) data += static_cast<char>(data.size() * 31 >> 7);
        OutputFile file(path);
        file.write(data);
        file.close();
        EXPECT_EQ(fingerprint_file(path), fingerprint(data)) << size;
    }
}

TEST_F(ResumableFiles, GoOnAfterWhatIsKept) {
    const auto path = folder_ / "a";
    {
        OutputFile file(path);
        file.write("one two");
        file.sync();
        EXPECT_EQ(read_file(path), "one two");
    }
    {
        OutputFile file(path, 4);
        EXPECT_EQ(file.position(), 4U);
        file.write("three");
        EXPECT_EQ(file.position(), 9U);
        file.close();
    }
    EXPECT_EQ(read_file(path), "one three");
    EXPECT_THAT(error_of([&] { const OutputFile file(path, 10); }), HasSubstr("has lost"));
    EXPECT_THAT(error_of([&] { const OutputFile file(folder_ / "none", 0); }), HasSubstr("No such file"));
    EXPECT_EQ(read_file(path), "one three");
}

TEST_F(ResumableFiles, ALockKeepsOthersAway) {
    {
        const FolderLock lock(folder_, "busy");
        EXPECT_THAT(error_of([&] { const FolderLock other(folder_, "busy"); }), HasSubstr(": busy"));
    }
    EXPECT_NO_THROW(FolderLock(folder_, "busy"));
}

TEST_F(ResumableFiles, FoldersChangePlaces) {
    const auto fresh = folder_ / "fresh", place = folder_ / "place";
    fs::create_directory(fresh);
    write_file_atomic(fresh / "new", "");
    place_directory(fresh, place, true);
    EXPECT_TRUE(fs::exists(place / "new"));
    EXPECT_FALSE(fs::exists(fresh));
    fs::create_directory(fresh);
    write_file_atomic(fresh / "newer", "");
    place_directory(fresh, place, true);
    EXPECT_TRUE(fs::exists(place / "newer"));
}

}  // namespace
}  // namespace longbow
