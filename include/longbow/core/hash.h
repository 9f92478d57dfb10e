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
    // What was hashed so far, as text: Hasher(state()) goes on from there, in another process too. Throws Error when the text is damaged or of
    // another version of the library.
    [[nodiscard]] std::string state() const;
    explicit Hasher(const std::string& state);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace longbow
