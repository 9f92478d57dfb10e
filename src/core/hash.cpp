#include "longbow/core/hash.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <xxhash.h>

#include <algorithm>

#include "longbow/core/files.h"

namespace longbow {

namespace {

constexpr std::size_t kPiece = std::size_t{16} << 20;  // bytes of a file that are in memory together; whole pages

std::string text_of(std::uint64_t hash) { return fmt::format("xxh3:{:016x}", hash); }

}  // namespace

std::uint64_t hash64(const void* data, std::size_t size, std::uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}

std::string fingerprint(std::string_view bytes) { return text_of(XXH3_64bits(bytes.data(), bytes.size())); }

// Gives the pages back piece by piece, so that a checkpoint's fingerprint does not need the memory of its weights.
std::string fingerprint_file(const std::filesystem::path& path) {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    Hasher hasher;
    for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
        const auto piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
        hasher.update(piece.data(), piece.size());
        (void)::madvise(const_cast<std::byte*>(piece.data()), piece.size(), MADV_DONTNEED);
    }
    return hasher.digest();
}

struct Hasher::State {
    XXH3_state_t* xxh = XXH3_createState();
    ~State() { XXH3_freeState(xxh); }
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_64bits_reset(state_->xxh); }
Hasher::~Hasher() = default;
void Hasher::update(const void* data, std::size_t size) { XXH3_64bits_update(state_->xxh, data, size); }
std::string Hasher::digest() const { return text_of(XXH3_64bits_digest(state_->xxh)); }

}  // namespace longbow
