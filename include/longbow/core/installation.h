// Where the parts of an installed longbow lie: PREFIX/bin, PREFIX/lib and PREFIX/share/longbow. A longbow that runs
// from its build folder has no such parts, and for it choose_config() returns the name that it is given.
#pragma once

#include <filesystem>
#include <string>

namespace longbow {

namespace fs = std::filesystem;

// Says that this process runs the longbow installed in `prefix`, with the LibTorch whose libraries are in `torch`.
// main.cpp calls it before anything else. An empty prefix is a build folder.
void set_installation(const fs::path& prefix, const fs::path& torch);

// Returns PREFIX/share/longbow, and an empty path in a build folder.
fs::path installed_share();

// Returns the JSON Schema of configurations, for editors; empty in a build folder.
fs::path installed_schema();

// Returns the file of a library of longbow's own that is opened at run time; in a build folder it lies beside the
// program.
fs::path own_library(const std::string& name);

// Returns what dlopen() takes for one of LibTorch's libraries: its file, or in a build folder its plain name, for which
// the program's RUNPATH is searched.
std::string torch_library(const std::string& name);

// A configuration file, and what the log says of the choice (empty: nothing).
struct ConfigChoice {
    std::string path;
    std::string note;
};
// Returns the file that a relative path names: the one here if it exists, otherwise the installed one.
// "demo/alibi.yaml" and "configs/demo/alibi.yaml" both name PREFIX/share/longbow/configs/demo/alibi.yaml. If there is
// neither, returns the path as given, whose reader says that it is missing.
ConfigChoice choose_config(const std::string& given);

// Returns whether a file belongs to the installed configurations.
bool is_installed_config(const std::string& file);

// Returns where the text or store is that an installed configuration names: a relative path begins in the cache, since
// the folder in which the command runs is anybody's.
std::string installed_data_path(const std::string& path);

}  // namespace longbow
