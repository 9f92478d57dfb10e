#include "longbow/core/hash.h"

#define XXH_STATIC_LINKING_ONLY  // gives Hasher::state() the state's members
#include <xxhash.h>

#include <array>
#include <cstring>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {
std::string text_of(std::uint64_t hash) { return strprintf("xxh3:%016llx", static_cast<unsigned long long>(hash)); }

// These members change while hashing; the others are the same after each reset. They are internals of the library,
// which another version may change, so that the saved text begins with the library's version.
struct Saved {
    std::array<XXH64_hash_t, 8> lanes;
    std::array<unsigned char, 256> buffer;
    std::uint64_t length, stripes;
    std::uint32_t buffered, unused;
};
static_assert(sizeof(XXH3_state_t::acc) == sizeof(Saved::lanes) && sizeof(XXH3_state_t::buffer) == sizeof(Saved::buffer));

std::string state_prefix() { return "xxh3-" + std::to_string(XXH_versionNumber()) + ":"; }

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }
}  // namespace

std::uint64_t hash64(const void* data, std::size_t size, std::uint64_t seed) { return XXH3_64bits_withSeed(data, size, seed); }

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

std::string Hasher::state() const {
    const auto& xxh = *state_->xxh;
    Saved saved{};
    std::memcpy(saved.lanes.data(), xxh.acc, sizeof saved.lanes);
    std::memcpy(saved.buffer.data(), xxh.buffer, sizeof saved.buffer);
    saved.length = xxh.totalLen;
    saved.stripes = xxh.nbStripesSoFar;
    saved.buffered = xxh.bufferedSize;
    std::string text = state_prefix();
    for (const char* byte = reinterpret_cast<const char*>(&saved); byte != reinterpret_cast<const char*>(&saved + 1); ++byte) {
        text += "0123456789abcdef"[static_cast<unsigned char>(*byte) >> 4];
        text += "0123456789abcdef"[static_cast<unsigned char>(*byte) & 15];
    }
    return text;
}

Hasher::Hasher(const std::string& state) : Hasher() {
    const std::string prefix = state_prefix();
    Saved saved{};
    bool good = starts_with(state, prefix) && state.size() == prefix.size() + 2 * sizeof saved;
    for (std::size_t i = 0; good && i < sizeof saved; ++i) {
        const int high = hex_digit(state[prefix.size() + 2 * i]);
        const int low = hex_digit(state[prefix.size() + 2 * i + 1]);
        good = high >= 0 && low >= 0;
        reinterpret_cast<unsigned char*>(&saved)[i] = static_cast<unsigned char>(high * 16 + low);
    }
    auto& xxh = *state_->xxh;
    if (!good || saved.buffered > sizeof saved.buffer || saved.stripes >= xxh.nbStripesPerBlock) {
        throw Error("the saved state of a checksum is damaged, or of another version of xxhash");
    }
    std::memcpy(xxh.acc, saved.lanes.data(), sizeof saved.lanes);
    std::memcpy(xxh.buffer, saved.buffer.data(), sizeof saved.buffer);
    xxh.totalLen = saved.length;
    xxh.nbStripesSoFar = static_cast<std::size_t>(saved.stripes);
    xxh.bufferedSize = saved.buffered;
}

}  // namespace longbow
