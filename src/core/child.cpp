#include "longbow/core/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "longbow/core/error.h"

namespace longbow {

namespace {

// Blocks the signals that ask to stop while a child is made. One that reached the child before execve() would be lost.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t stops;
        sigemptyset(&stops);
        sigaddset(&stops, SIGINT);
        sigaddset(&stops, SIGTERM);
        sigaddset(&stops, SIGHUP);
        sigprocmask(SIG_BLOCK, &stops, &before_);
    }
    ~BlockedSignals() { release(); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    void release() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_;
};

// Turns the forked child into another longbow. Everything that allocates is prepared by the parent before the fork,
// because another of its threads may have held the allocator's lock at that moment.
[[noreturn]] void exec_longbow(char* const* arguments, char* const* environment, const char* log, int death_signal,
                               pid_t parent, const BlockedSignals& held) {
    for (const int stop : {SIGINT, SIGTERM}) std::signal(stop, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent) _exit(1);  // the parent died before prctl() took effect
    const int in = ::open("/dev/null", O_RDONLY);
    if (in < 0) _exit(126);
    dup2(in, 0);
    if (*log != '\0') {
        const int out = ::open(log, O_WRONLY | O_APPEND | O_CREAT, 0644);
        if (out < 0) _exit(126);
        dup2(out, 1);
        dup2(out, 2);
    }
    held.release();
    execve("/proc/self/exe", arguments, environment);
    _exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    for (auto& word : words) result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

}  // namespace

pid_t start_self(const std::vector<std::string>& arguments, const ChildOptions& options) {
    if (!options.log.empty()) std::filesystem::create_directories(options.log.parent_path());
    std::vector<std::string> words{"longbow"}, variables;
    words.insert(words.end(), arguments.begin(), arguments.end());
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string text = *variable;
        const auto name = text.substr(0, text.find('='));
        bool replaced = false;
        for (const auto& [key, value] : options.environment) replaced = replaced || key == name;
        if (!replaced) variables.push_back(text);
    }
    for (const auto& [key, value] : options.environment) variables.push_back(key + "=" + value);
    const auto argument_pointers = pointers(words), variable_pointers = pointers(variables);
    const std::string log = options.log.string();
    const pid_t parent = getpid();
    const BlockedSignals held;
    const pid_t child = fork();
    if (child < 0) throw Error(std::string("cannot start a process: ") + std::strerror(errno));
    if (child == 0)
        exec_longbow(argument_pointers.data(), variable_pointers.data(), log.c_str(), options.death_signal, parent,
                     held);
    return child;
}

std::string shell_word(const std::string& text) {
    constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=,:@+";
    if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

int exit_code(int wait_status) {
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

}  // namespace longbow
