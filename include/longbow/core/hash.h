// Checksums and fingerprints: 64-bit XXH3 hashes, written as "xxh3:<16 hex digits>".
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace longbow {

// Returns the XXH3 hash of `size` bytes as a number.
std::uint64_t hash64(const void* data, std::size_t size, std::uint64_t seed = 0);
// These return the hash of bytes or of a file's contents as text. fingerprint_file() throws Error if the file cannot be
// read.
std::string fingerprint(std::string_view bytes);
std::string fingerprint_file(const std::filesystem::path& path);

// Computes the same hash as fingerprint(), piece by piece.
class Hasher {
public:
    Hasher();
    ~Hasher();
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;
    void update(const void* data, std::size_t size);
    void update(std::string_view text) { update(text.data(), text.size()); }
    // Of all that was hashed so far; more may follow.
    [[nodiscard]] std::string digest() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace longbow
