// The `longbow` of an installation. It finds a LibTorch of the version that longbow was built with, loads it, and then
// loads the program, lib/liblongbow_program.so, into the same process, whose needs are then met by name. So an
// installation can be moved, no path of the build is in it, no environment variable is changed for the processes that
// longbow starts, and /proc/self/exe is the command that starts longbow again.
//
// It uses neither LibTorch nor a shared libstdc++: a LibTorch of conda needs the newer one that comes with it.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "longbow/core/cache.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* kNeeded = LONGBOW_TORCH_SERIES;  // "2.11"
constexpr const char* kLibrary = "libtorch_cpu.so";

// A folder that holds LibTorch's lib, and how it was found.
struct Candidate {
    fs::path root;
    std::string origin;
};

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool is_torch(const fs::path& root) {
    std::error_code none;
    return fs::exists(root / "lib" / kLibrary, none);
}

// Returns the torch packages of a Python environment.
std::vector<fs::path> packages_of(const fs::path& environment) {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(environment / "lib", none)) {
        if (entry.path().filename().string().rfind("python3", 0) != 0) continue;
        if (const auto root = entry.path() / "site-packages" / "torch"; is_torch(root)) found.push_back(root);
    }
    return found;
}

// Returns the version, such as "2.11.0+cu130", or an empty text if no file says it: the Python package has version.py,
// PyTorch's archives for C++ have build-version.
std::string version_of(const fs::path& root) {
    std::ifstream package(root / "version.py");
    for (std::string line; std::getline(package, line);) {
        if (line.rfind("__version__", 0) != 0) continue;
        const auto begin = line.find_first_of("'\"");
        if (begin == std::string::npos) continue;
        return line.substr(begin + 1, line.find_first_of("'\"", begin + 1) - begin - 1);
    }
    std::ifstream archive(root / "build-version");
    std::string version;
    std::getline(archive, version);
    return version;
}

bool fits(const std::string& version) {
    const std::string series = std::string(kNeeded) + ".";
    return version.rfind(series, 0) == 0;
}

// Asks the Python on PATH, which knows of folders that are in no environment: its user's, PYTHONPATH. The folder in
// which the command runs is left out: what is called torch there is not a package.
fs::path package_of_python() {
    FILE* answer = ::popen(
        "for python in python3 python; do\n"
        "\"$python\" -c '\n"
        "import importlib.util, sys\n"
        "sys.path = [path for path in sys.path if path]\n"
        "found = importlib.util.find_spec(\"torch\")\n"
        "if not found: sys.exit(1)\n"
        "print(list(found.submodule_search_locations)[0])' </dev/null 2>/dev/null && break\n"
        "done",
        "re");
    if (answer == nullptr) return {};
    std::string line;
    for (int c = std::fgetc(answer); c != EOF && c != '\n'; c = std::fgetc(answer)) line += static_cast<char>(c);
    ::pclose(answer);
    return line;
}

// Looks for a LibTorch that fits, and keeps what was found and does not, for the message.
class Search {
public:
    explicit Search(fs::path prefix) : prefix_(std::move(prefix)) {}

    bool run() {
        if (const auto named = variable("LONGBOW_TORCH"); !named.empty()) return take_named(named);
        if (take_environment(prefix_, "the environment in which longbow is installed")) return true;
        for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
            const auto environment = variable(name);
            if (!environment.empty() && take_environment(environment, std::string("of ") + name)) return true;
        }
        if (const auto root = package_of_python(); is_torch(root) && take({root, "of the Python on PATH"})) return true;
        return take_environment(longbow::cache_folder() / "venv", "of scripts/setup");
    }

    [[nodiscard]] const fs::path& root() const { return root_; }

    [[nodiscard]] std::string problem() const {
        const std::string remedy = std::string("activate a Python environment that has it (pip install 'torch==") +
                                   kNeeded + ".*'), or set LONGBOW_TORCH to the folder of such a torch";
        std::string text = std::string("this longbow needs torch ") + kNeeded;
        if (refused_.empty()) return text + ", and none was found: " + remedy;
        text += ", and found ";
        for (std::size_t i = 0; i < refused_.size(); ++i) text += (i > 0 ? ", " : "") + refused_[i];
        return text + ": " + remedy;
    }

private:
    bool take_named(const fs::path& named) {
        for (const auto& root : {named, named / "torch"}) {
            if (is_torch(root)) return take({root, "LONGBOW_TORCH"});
        }
        if (take_environment(named, "LONGBOW_TORCH")) return true;
        if (refused_.empty())
            refused_.push_back("no lib/" + std::string(kLibrary) + " in LONGBOW_TORCH=" + named.string());
        return false;
    }

    bool take_environment(const fs::path& environment, const std::string& origin) {
        for (const auto& root : packages_of(environment)) {
            if (take({root, origin})) return true;
        }
        return false;
    }

    bool take(const Candidate& candidate) {
        const auto version = version_of(candidate.root);
        if (fits(version)) {
            root_ = candidate.root;
            return true;
        }
        refused_.push_back("torch " + (version.empty() ? "of unknown version" : version) + " in " +
                           candidate.root.string() + " (" + candidate.origin + ")");
        return false;
    }

    fs::path prefix_, root_;
    std::vector<std::string> refused_;
};

int fail(const std::string& message) {
    std::fprintf(stderr, "longbow: error: %s\n", message.c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::error_code error;
    const auto prefix = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
    const auto program = prefix / "lib" / "liblongbow_program.so";
    if (error || !fs::exists(program, error))
        return fail("the installation is incomplete: there is no " + program.string() + "; install longbow again");
    Search search(prefix);
    if (!search.run()) return fail(search.problem());
    const auto torch = search.root() / "lib";
    // What the program needs by name is found by name among what is loaded, each with its own neighbours.
    for (const char* library : {kLibrary, LONGBOW_TORCH_MORE}) {
        if (*library != '\0' && ::dlopen((torch / library).c_str(), RTLD_LAZY) == nullptr) {
            return fail("torch in " + search.root().string() + " cannot be loaded: " + ::dlerror() +
                        "; take one that was built for the same CUDA as this longbow (LONGBOW_TORCH)");
        }
    }
    void* loaded = ::dlopen(program.c_str(), RTLD_LAZY);
    if (loaded == nullptr) {
        return fail(std::string(::dlerror()) + "; torch is the one in " + search.root().string() +
                    " (LONGBOW_TORCH names another)");
    }
    using Main = int (*)(int, char**, const char*, const char*);
    const auto start = reinterpret_cast<Main>(::dlsym(loaded, "longbow_main"));
    if (start == nullptr) return fail(program.string() + " is of another version: install longbow again");
    return start(argc, argv, prefix.c_str(), torch.c_str());
}
