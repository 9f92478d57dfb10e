// Tests what may be at an output's path (files, links, pipes, devices, descriptors), and what is refused before any
// work.
#include "longbow/core/output.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using test::error_of;
using testing::HasSubstr;

struct stat status_of(const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info;
}

// Runs `work` in a child process that gives up the superuser's rights. Returns its exit code, 0 if nothing was thrown.
int in_child(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::geteuid() == 0 && (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0))
            ::_exit(99);
        try {
            work();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            ::_exit(1);
        }
        ::_exit(0);
    }
    int state = 0;
    ::waitpid(child, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

class Output : public testing::Test {
protected:
    Output() : folder_(fs::temp_directory_path() / ("longbow-output-" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    ~Output() override { fs::remove_all(folder_); }
    [[nodiscard]] fs::path at(const std::string& name) const { return folder_ / name; }
    fs::path folder_;
};

TEST_F(Output, ReplacesAFileAsAWholeAndKeepsItsMode) {
    for (const mode_t mode : {0600U, 0644U, 0755U, 0660U}) {
        write_file_atomic(at("f"), "old and longer");
        ASSERT_EQ(::chmod(at("f").c_str(), mode), 0);
        const auto before = status_of(at("f"));
        write_file_atomic(at("f"), "new");
        const auto after = status_of(at("f"));
        EXPECT_EQ(read_file(at("f")), "new");
        EXPECT_EQ(after.st_mode, before.st_mode);
        EXPECT_NE(after.st_ino, before.st_ino) << "written in place: a reader may have seen a part";
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "a temporary was left";
}

TEST_F(Output, KeepsOwnerAndAttributes) {
    write_file_atomic(at("f"), "old");
    const bool attributes = ::setxattr(at("f").c_str(), "user.note", "mine", 4, 0) == 0;
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(at("f").c_str(), 65534, 12), 0);
    }
    write_file_atomic(at("f"), "new");
    if (::geteuid() == 0) {
        EXPECT_EQ(status_of(at("f")).st_uid, 65534U);
        EXPECT_EQ(status_of(at("f")).st_gid, 12U);
    }
    char note[16] = {};
    if (attributes) {
        EXPECT_EQ(::getxattr(at("f").c_str(), "user.note", note, sizeof note), 4);
        EXPECT_STREQ(note, "mine");
    }
}

TEST_F(Output, ANewFileHasTheModeOfTheUmask) {
    const mode_t before = ::umask(027);
    write_file_atomic(at("f"), "x");
    ::umask(before);
    EXPECT_EQ(status_of(at("f")).st_mode & 07777U, 0640U);
}

TEST_F(Output, FollowsLinksAndLeavesThem) {
    fs::create_directories(at("deep/er"));
    write_file_atomic(at("deep/er/target"), "old");
    fs::create_symlink("er/target", at("deep/one"));
    fs::create_symlink("deep/one", at("two"));
    fs::create_symlink("deep/er/new", at("dangling"));
    write_file_atomic(at("two"), "new");
    write_file_atomic(at("dangling"), "made");
    EXPECT_TRUE(fs::is_symlink(at("two")) && fs::is_symlink(at("deep/one")) && fs::is_symlink(at("dangling")));
    EXPECT_EQ(read_file(at("deep/er/target")), "new");
    EXPECT_EQ(read_file(at("deep/er/new")), "made");
    EXPECT_EQ(follow_links(at("two")), at("deep/er/target"));
    EXPECT_TRUE(same_output(at("two"), at("deep/../deep/er/target")));
    EXPECT_TRUE(same_output(at("absent"), at("deep/../absent")));
    EXPECT_FALSE(same_output(at("absent"), at("two")));
    EXPECT_TRUE(same_output("longbow-absent", "./longbow-absent"));
    EXPECT_TRUE(same_output("longbow-absent", fs::current_path() / "longbow-absent"));
}

TEST_F(Output, ThePlaceAboveALinkIsThatOfWhatItLeadsTo) {
    fs::create_directories(at("there/deep"));
    fs::create_directories(at("here"));
    fs::create_directory_symlink("../there/deep", at("here/link"));
    write_file_atomic(at("there/x"), "of the link");
    write_file_atomic(at("here/x"), "beside the link");
    const auto climbs = at("here/link/../x");
    EXPECT_EQ(read_file(tidy_path(climbs)), read_file(climbs));
    EXPECT_EQ(read_file(whole_path(climbs)), "of the link");
    EXPECT_EQ(whole_path(climbs), fs::canonical(at("there/x")));
    EXPECT_EQ(whole_path(at("here/link/../new/")), fs::canonical(at("there")) / "new");
    // A path without a link or `..` stays as it was named.
    EXPECT_EQ(whole_path(at("here/../here/link/")), at("here/link"));
    EXPECT_EQ(whole_path(at("here/./absent")), at("here/absent"));
    EXPECT_EQ(tidy_path("a/./b"), "a/b");
    EXPECT_EQ(whole_path("a//b/"), fs::current_path() / "a/b");
}

TEST_F(Output, RefusesBeforeAnyWork) {
    write_file_atomic(at("f"), "kept");
    fs::create_directory(at("d"));
    fs::create_symlink("b", at("a"));
    fs::create_symlink("a", at("b"));
    fs::create_symlink("nowhere/f", at("astray"));
    sockaddr_un address{AF_UNIX, {}};
    std::strncpy(address.sun_path, at("socket").c_str(), sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(socket);

    EXPECT_THROW(check_output(""), UsageError);
    const auto refused = [&](const std::string& name) {
        return error_of([&] { check_output(folder_.string() + "/" + name); });
    };
    EXPECT_THAT(refused("d"), HasSubstr("is a folder"));
    EXPECT_THAT(refused("d/"), HasSubstr("is a folder"));
    EXPECT_THAT(refused("."), HasSubstr("is a folder"));
    EXPECT_THAT(refused("new/"), HasSubstr("a folder's"));
    EXPECT_THAT(refused("f/"), HasSubstr("f/"));
    EXPECT_THAT(refused("nowhere/f"), HasSubstr("no folder"));
    EXPECT_THAT(refused("f/g"), HasSubstr("no folder"));
    EXPECT_THAT(refused("astray"), HasSubstr("nowhere"));
    EXPECT_THAT(refused("a"), HasSubstr("loop"));
    EXPECT_THAT(refused("socket"), HasSubstr("is a socket"));
    EXPECT_THAT(refused(std::string(256, 'x')), HasSubstr("too long"));
    EXPECT_EQ(read_file(at("f")), "kept");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 6) << "a check left something behind";
}

TEST_F(Output, WritesLongNames) {
    const auto path = at(std::string(255, 'n'));
    write_file_atomic(path, "a");
    write_file_atomic(path, "b");
    EXPECT_EQ(read_file(path), "b");
}

TEST_F(Output, WritesIntoAPipe) {
    ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
    fs::create_symlink("pipe", at("link"));
    const std::string text(300000, 'p');  // more than a pipe holds
    auto got = std::async(std::launch::async, [&] { return read_file(at("pipe")); });
    write_file_atomic(at("link"), text);
    EXPECT_EQ(got.get(), text);
    EXPECT_TRUE(S_ISFIFO(status_of(at("pipe")).st_mode));
    EXPECT_TRUE(fs::is_symlink(at("link")));
}

TEST_F(Output, SaysThatAPipesReaderHasGone) {
    ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
    const int reader = ::open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK);
    OutputStream stream(find_output(at("pipe")));
    stream.write("one\n");
    ::close(reader);
    EXPECT_THAT(error_of([&] { stream.write("two\n"); }), HasSubstr("its reader has gone"));
}

TEST_F(Output, AStopEndsTheWaitForAReader) {
    ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0666), 0);
    ::chmod(at("pipe").c_str(), 0666);
    ::chmod(folder_.c_str(), 0755);
    EXPECT_EQ(in_child([&] {
                  request_stop();
                  OutputStream stream(find_output(at("pipe")));
              }),
              1);
    // A stop also ends the wait for room in the pipe.
    EXPECT_EQ(in_child([&] {
                  const int reader = ::open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK);
                  OutputStream stream(find_output(at("pipe")));
                  request_stop();
                  stream.write("what fits is written all the same");
                  char all[64] = {};
                  if (::read(reader, all, sizeof all) != 33) ::_exit(98);
                  stream.write(std::string(1 << 21, 'x'));
              }),
              1);
}

TEST_F(Output, WritesOnIntoAnOpenDescriptor) {
    const int fd = ::open(at("f").c_str(), O_RDWR | O_CREAT, 0600);
    ASSERT_EQ(::write(fd, "before ", 7), 7);
    const auto before = status_of(at("f"));
    const auto number = std::to_string(fd);
    fs::create_symlink("/proc/self/fd/" + number, at("link"));
    for (const auto& path : {"/dev/fd/" + number, "/proc/self/fd/" + number, at("link").string()}) {
        EXPECT_EQ(find_output(path).descriptor, fd) << path;
        EXPECT_TRUE(find_output(path).stream);
        write_file_atomic(path, "x");
    }
    EXPECT_TRUE(fs::is_symlink(at("link")));
    EXPECT_EQ(status_of(at("f")).st_ino, before.st_ino);
    EXPECT_EQ(read_file(at("f")), "before xxx");
    ::close(fd);
    EXPECT_THAT(error_of([&] { check_output("/dev/fd/" + number); }), HasSubstr("not open"));
    const int reading = ::open(at("f").c_str(), O_RDONLY);
    EXPECT_THAT(error_of([&] { check_output("/dev/fd/" + std::to_string(reading)); }),
                HasSubstr("open only for reading"));
    ::close(reading);
}

TEST_F(Output, WritesIntoDevicesAndRefusesDisks) {
    write_file_atomic("/dev/null", "gone");
    EXPECT_TRUE(find_output("/dev/null").stream);
    EXPECT_THAT(error_of([&] { write_file_atomic("/dev/full", "x"); }), HasSubstr("/dev/full"));
    if (::mknod(at("null").c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) GTEST_SKIP() << "no right to make devices";
    write_file_atomic(at("null"), "gone");
    EXPECT_TRUE(S_ISCHR(status_of(at("null")).st_mode));
    ASSERT_EQ(::mknod(at("disk").c_str(), S_IFBLK | 0600, makedev(259, 65535)), 0);
    EXPECT_THAT(error_of([&] { check_output(at("disk")); }), HasSubstr("is a disk"));
}

TEST_F(Output, WritesInPlaceWhereTheFolderTakesNoOtherFile) {
    write_file_atomic(at("f"), "old and longer");
    write_file_atomic(at("fixed"), "kept");
    ::chmod(at("f").c_str(), 0666);
    ::chmod(at("fixed").c_str(), 0444);
    ::chmod(folder_.c_str(), 0555);
    EXPECT_EQ(in_child([&] { write_file_atomic(at("f"), "new"); }), 0);
    EXPECT_EQ(in_child([&] { check_output(at("fixed")); }), 1);
    EXPECT_EQ(in_child([&] { check_output(at("another")); }), 1);
    EXPECT_EQ(in_child([&] { check_output_folder(at("d/e")); }), 1);
    EXPECT_EQ(read_file(at("f")), "new");
    ::chmod(folder_.c_str(), 0755);
}

TEST_F(Output, ALimitOnFileSizesIsAnErrorAndLosesNothing) {
    ::chmod(folder_.c_str(), 0777);
    EXPECT_EQ(in_child([&] {
                  std::signal(SIGXFSZ, SIG_IGN);  // as block_stop_signals() does
                  write_file_atomic(at("f"), "kept");
                  const rlimit limit{4096, 4096};
                  ::setrlimit(RLIMIT_FSIZE, &limit);
                  const auto message = error_of([&] { write_file_atomic(at("f"), std::string(5000, 'x')); });
                  for (const char* part : {"/f", "4,096 bytes", "ulimit -f"}) {
                      if (message.find(part) == std::string::npos) throw Error(message);
                  }
              }),
              0);
    EXPECT_EQ(read_file(at("f")), "kept");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(Output, FoldersAreMadeWhereALinkLeads) {
    fs::create_symlink("real/deep", at("link"));
    write_file_atomic(at("f"), "");
    check_output_folder(at("link"));
    EXPECT_EQ(make_output_folder(at("link")), at("real/deep"));
    EXPECT_TRUE(fs::is_directory(at("real/deep")));
    EXPECT_TRUE(fs::is_symlink(at("link")));
    EXPECT_EQ(make_output_folder(folder_.string() + "/link/"), at("real/deep"));
    EXPECT_THAT(error_of([&] { check_output_folder(at("f")); }), HasSubstr("not a folder"));
    EXPECT_THAT(error_of([&] { check_output_folder("/dev/null"); }), HasSubstr("not a folder"));
    EXPECT_THAT(error_of([&] { make_output_folder(at("f")); }), HasSubstr("/f"));
    EXPECT_THROW(check_output_folder(""), UsageError);
}

}  // namespace
}  // namespace longbow
