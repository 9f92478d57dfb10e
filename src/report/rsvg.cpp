#include "longbow/report/rsvg.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr const char* kProgram = "rsvg-convert";

// Is a file in memory. It holds the program's whole input or output, so that neither process waits for the other as it
// would with a pipe.
class MemoryFile {
public:
    explicit MemoryFile(std::string name) : name_(std::move(name)), fd_(::memfd_create(name_.c_str(), MFD_CLOEXEC)) {
        if (fd_ < 0) throw Error("a file in memory: " + file_error_text(errno));
    }
    ~MemoryFile() { ::close(fd_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

    void write(const std::string& text) const {
        for (std::size_t at = 0; at < text.size();) {
            const auto written = ::write(fd_, text.data() + at, text.size() - at);
            if (written < 0 && errno == EINTR) continue;
            if (written < 0)
                throw Error("cannot write /memfd:" + name_ + ", a file in memory: " + file_error_text(errno));
            at += static_cast<std::size_t>(written);
        }
        ::lseek(fd_, 0, SEEK_SET);
    }

    [[nodiscard]] std::string read() const {
        std::string text(static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
        std::size_t at = 0;
        while (at < text.size()) {
            const auto count = ::pread(fd_, text.data() + at, text.size() - at, static_cast<off_t>(at));
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0)
                throw Error(std::string("a file in memory: ") + (count < 0 ? std::strerror(errno) : "cut short"));
            at += static_cast<std::size_t>(count);
        }
        return text;
    }

private:
    std::string name_;
    int fd_;
};

// Runs the program to its end and returns its exit code as a shell reports it. Throws Error when it cannot be started.
int run_program(const std::string& path, std::vector<std::string> words, const MemoryFile& in, const MemoryFile& out,
                const MemoryFile& err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.fd(), 0);
    posix_spawn_file_actions_adddup2(&actions, out.fd(), 1);
    posix_spawn_file_actions_adddup2(&actions, err.fd(), 2);
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = -1;
    const int failed = ::posix_spawn(&child, path.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw Error(path + ": " + std::strerror(failed));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) throw Error(path + ": " + std::strerror(errno));
    }
    return exit_code(status);
}

}  // namespace

std::string find_rsvg_convert() {
    const char* path = std::getenv("PATH");
    for (const auto& folder : split(path == nullptr ? "" : path, ':')) {
        const auto file = (folder.empty() ? std::string(".") : folder) + "/" + kProgram;
        if (::access(file.c_str(), X_OK) == 0) return file;
    }
    return "";
}

void require_rsvg_convert() {
    if (!find_rsvg_convert().empty()) return;
    throw Error(
        "figures as pdf or png are made by the program rsvg-convert, which is not installed: install the Debian package librsvg2-bin "
        "(./scripts/setup does), or take --format svg");
}

std::string convert_svg(const std::string& svg, PictureFormat format) {
    require_rsvg_convert();
    const auto program = find_rsvg_convert();
    const MemoryFile in("longbow-svg"), out("longbow-figure"), err("longbow-messages");
    in.write(svg);
    std::vector<std::string> words{kProgram, "--format=" + std::string(name_of(format))};
    if (format == PictureFormat::png) words.emplace_back("--zoom=2");
    const int code = run_program(program, words, in, out, err);
    auto bytes = out.read();
    if (code != 0 || bytes.empty())
        throw Error(program + fmt::format(" ended with code {}: ", code) +
                    std::string(trim(split(trim(err.read()), '\n').front())));
    return bytes;
}

}  // namespace longbow
