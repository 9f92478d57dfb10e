// Reads files whole, writes them atomically, maps them into memory, and makes folders that appear whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace longbow {

namespace fs = std::filesystem;

// Returns the file's whole contents. Throws Error naming the file and the reason.
std::string read_file(const fs::path& path);

// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder. A reader sees the old
// contents or the new, never a part. An existing file keeps its mode and owner, a link is followed, and a device or
// pipe is written into (output.h). Only where the folder takes no new file, or the file cannot be renamed over, is it
// overwritten in place. Throws Error.
void write_file_atomic(const fs::path& path, std::string_view contents);

// Does the same with contents that another library writes: `write` gets the name of the file to write, and throws on
// failure.
void write_file_atomic_by(const fs::path& path, const std::function<void(const fs::path&)>& write);

// Returns the system's text for `error` (an errno value) and, for a full disk or a limit on file sizes, the remedy.
std::string file_error_text(int error);
// Throws Error "ACTION PATH: <file_error_text(errno)>".
[[noreturn]] void throw_file_error(const std::string& action, const fs::path& path);

// Calls fsync on a file or folder that has been written already. Throws Error.
void sync_path(const fs::path& path);

// Returns the bytes free for this user on the file system that holds `path` (or its nearest existing parent). Throws
// Error.
std::uint64_t free_space(const fs::path& path);

// A read-only memory map of a whole file. An empty file gives an empty span. Opening throws Error, also for anything
// but a regular file.
class MappedFile {
public:
    MappedFile() = default;
    explicit MappedFile(const fs::path& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
    [[nodiscard]] std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    // Hints that these bytes will be needed soon, so that the system reads them from the disk in the background.
    void prefetch(std::size_t begin, std::size_t size) const;

private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

// A binary output file, buffered. A full disk or any other failure is thrown as an Error with the file's name. close()
// syncs; the destructor neither writes what is buffered nor syncs.
class OutputFile {
public:
    explicit OutputFile(const fs::path& path);
    // Continues a file after its first `keep` bytes and cuts off the rest. Throws Error when the file is shorter than
    // that.
    OutputFile(const fs::path& path, std::uint64_t keep);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    // Appends to the file. Throws Error.
    void write(const void* data, std::size_t size);
    void write(std::string_view text) { write(text.data(), text.size()); }
    // Returns the size of the file including what is still buffered.
    [[nodiscard]] std::uint64_t position() const { return position_; }
    // Returns once everything written so far is on the disk.
    void sync();
    void close();

private:
    void flush();
    fs::path path_;
    int fd_ = -1;
    std::string buffer_;
    std::uint64_t position_ = 0;
};

// Renames the folder `from` to `target` and syncs the parent folder. With `replace`, an existing target is exchanged
// with `from` (and then lies there), or removed where the file system cannot exchange. Throws Error.
void place_directory(const fs::path& from, const fs::path& target, bool replace);

// Locks a folder for one process (flock). The lock ends with the object or with the process.
class FolderLock {
public:
    // Throws Error, "PATH: <busy>", when another process holds the lock.
    FolderLock(const fs::path& path, const char* busy);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int fd_ = -1;
};

// Writes a folder beside its final place (".NAME.tmp-PID"). commit() renames it to `target`; without a commit it is
// removed. With `replace` an existing target is replaced (place_directory()) and removed afterwards; without, an
// existing target is an Error.
class DirectoryTransaction {
public:
    explicit DirectoryTransaction(fs::path target, bool replace = false);
    ~DirectoryTransaction();
    DirectoryTransaction(const DirectoryTransaction&) = delete;
    DirectoryTransaction& operator=(const DirectoryTransaction&) = delete;
    // Returns the temporary folder, to write files into.
    [[nodiscard]] const fs::path& path() const { return temporary_; }
    // Puts the folder in its place. Throws Error.
    void commit();

private:
    fs::path target_;
    fs::path temporary_;
    bool replace_;
    bool committed_ = false;
};

}  // namespace longbow
