// Files: whole reads, atomic writes, memory maps, and directories that appear whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace longbow {

namespace fs = std::filesystem;

// Whole contents. Throws Error naming the file and the reason.
std::string read_file(const fs::path& path);

// Writes beside `path`, syncs, renames over it, syncs the folder. A reader sees the old contents or the new, never a part. What lies there
// keeps its mode and owner, a link is followed, and a device or pipe is written into (output.h). Only where the folder takes no other file, or
// the file cannot be renamed over, is it written in place.
void write_file_atomic(const fs::path& path, std::string_view contents);

// The same where another library writes the file whose name it is given. `write` throws when it could not.
void write_file_atomic_by(const fs::path& path, const std::function<void(const fs::path&)>& write);

// What the system said (errno), and what to do about it: full disk, limit on file sizes.
std::string file_error_text(int error);
// Throws Error "ACTION PATH: <file_error_text(errno)>".
[[noreturn]] void throw_file_error(const std::string& action, const fs::path& path);

// fsync of a file or folder already written.
void sync_path(const fs::path& path);

// Free bytes for this user on the file system that holds `path` (or its nearest existing parent).
std::uint64_t free_space(const fs::path& path);

// Read-only memory map of a whole file; empty files give an empty span. Movable.
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
    // Asks the system to read these bytes from the disk meanwhile. A hint.
    void prefetch(std::size_t begin, std::size_t size) const;

private:
    const std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

// Binary output that reports a full disk or any other failure as an Error with the file's name. close() syncs.
class OutputFile {
public:
    explicit OutputFile(const fs::path& path);
    // Goes on writing a file after its first `keep` bytes; the rest is cut off. Throws Error when it has fewer.
    OutputFile(const fs::path& path, std::uint64_t keep);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    void write(const void* data, std::size_t size);
    void write(std::string_view text) { write(text.data(), text.size()); }
    [[nodiscard]] std::uint64_t position() const { return position_; }
    // All written so far is on the disk.
    void sync();
    void close();

private:
    void flush();
    fs::path path_;
    int fd_ = -1;
    std::string buffer_;
    std::uint64_t position_ = 0;
};

// Renames a folder onto `target`, and syncs the folder around it. `replace`: what is there is exchanged with it (then it lies at `from`), or
// removed where the file system cannot exchange.
void place_directory(const fs::path& from, const fs::path& target, bool replace);

// Holds a folder for one process (flock): destroyed, or by the end of the process, it is free again.
class FolderLock {
public:
    // Throws Error, "PATH: <busy>", when another process holds it.
    FolderLock(const fs::path& path, const char* busy);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int fd_ = -1;
};

// A directory written beside its final place (".NAME.tmp-PID") and renamed on commit(); removed if never committed.
// `replace`: an existing target is moved away first and removed after; otherwise an existing target is an Error.
class DirectoryTransaction {
public:
    explicit DirectoryTransaction(fs::path target, bool replace = false);
    ~DirectoryTransaction();
    DirectoryTransaction(const DirectoryTransaction&) = delete;
    DirectoryTransaction& operator=(const DirectoryTransaction&) = delete;
    [[nodiscard]] const fs::path& path() const { return temporary_; }
    void commit();

private:
    fs::path target_;
    fs::path temporary_;
    bool replace_;
    bool committed_ = false;
};

}  // namespace longbow
