// Checksums and fingerprints: XXH3, 64 bits, as "xxh3:<16 hex digits>".
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace longbow {

std::uint64_t hash64(const void* data, std::size_t size, std::uint64_t seed = 0);
std::string fingerprint(std::string_view bytes);
std::string fingerprint_file(const std::filesystem::path& path);

// Streaming form of fingerprint().
class Hasher {
public:
    Hasher();
    ~Hasher();
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;
    void update(const void* data, std::size_t size);
    void update(std::string_view text) { update(text.data(), text.size()); }
    [[nodiscard]] std::string digest() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace longbow
