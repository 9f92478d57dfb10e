#include "longbow/core/hash.h"

#include <fmt/core.h>
#include <xxhash.h>

#include "longbow/core/files.h"

namespace longbow {

namespace {
std::string text_of(std::uint64_t hash) { return fmt::format("xxh3:{:016x}", hash); }
}  // namespace

std::uint64_t hash64(const void* data, std::size_t size, std::uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}

std::string fingerprint(std::string_view bytes) { return text_of(XXH3_64bits(bytes.data(), bytes.size())); }

std::string fingerprint_file(const std::filesystem::path& path) {
    const MappedFile file(path);
    return fingerprint(file.text());
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
