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

TEST(Hasher, GoesOnFromItsState) {
    Random random(1);
    std::string data(70000, '\0');
    for (auto& byte : data) byte = static_cast<char>(random.below(256));
    for (const std::size_t size : {0U, 1U, 64U, 255U, 256U, 257U, 1024U, 5000U, 70000U}) {
        for (int i = 0; i < 30; ++i) {
            Hasher whole;
            const std::size_t cut = random.below(size + 1);
            whole.update(data.data(), cut / 2);
            whole.update(data.data() + cut / 2, cut - cut / 2);
            Hasher resumed(whole.state());
            EXPECT_EQ(resumed.state(), whole.state());
            resumed.update(data.data() + cut, size - cut);
            EXPECT_EQ(resumed.digest(), fingerprint({data.data(), size})) << size << " cut at " << cut;
        }
    }
}

TEST(Hasher, RefusesADamagedState) {
    Hasher hasher;
    hasher.update("abc");
    const auto state = hasher.state();
    EXPECT_THAT(error_of([&] { Hasher(state.substr(0, state.size() - 1)); }), HasSubstr("damaged"));
    EXPECT_THAT(error_of([&] { Hasher("xxh3-1:" + state); }), HasSubstr("another version"));
    auto bad = state;
    bad[100] = 'x';
    EXPECT_THAT(error_of([&] { Hasher{bad}; }), HasSubstr("damaged"));
}

class ResumableFiles : public testing::Test {
protected:
    ResumableFiles() : folder_(fs::temp_directory_path() / ("longbow-files-" + std::to_string(::getpid()))) {
        fs::create_directories(folder_);
    }
    ~ResumableFiles() override { fs::remove_all(folder_); }
    fs::path folder_;
};

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
