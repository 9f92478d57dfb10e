// Several stores as one training stream, each with a weight: the share of the samples that come from it.
//
// Which store the i-th sample comes from, and which of its samples it is, is a function of (seed, i) with no table: counts after n samples
// follow from n alone (so that shares are exact to a few samples at every point of the run), and within each round of 256 samples a keyed
// permutation says whose turn it is. Each store is gone through in its own order (sample_order.h), epoch after epoch, none of its blocks left
// out; a store with little text and much weight is seen more often.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/data/token_store.h"

namespace longbow {

struct MixtureEntry {
    std::string store;
    double weight = 1;
};

// Of data.mixture: "STORE=WEIGHT", or "STORE" for weight 1. Throws ConfigError: no number above 0, a store named twice, less than a
// millionth of the whole.
std::vector<MixtureEntry> parse_mixture(const std::vector<std::string>& entries);

class MixtureChoice {
public:
    static constexpr std::int64_t kRound = 256;  // samples

    MixtureChoice(const std::vector<double>& weights, std::uint64_t seed);
    struct Draw {
        std::size_t source;
        std::int64_t sample;  // of that source, from 0: each comes exactly once
    };
    [[nodiscard]] Draw at(std::int64_t sample) const;

private:
    struct Share {
        std::uint64_t part;  // of what the earlier sources leave, in 2^-32
        std::uint64_t phase;
        [[nodiscard]] std::int64_t of(std::int64_t count) const {
            return static_cast<std::int64_t>((static_cast<unsigned __int128>(count) * part + phase) >> 32);
        }
    };
    std::vector<Share> shares_;
    std::uint64_t seed_;
};

// What a run trains on: the train split of its store, or of all stores of data.mixture, one after the other, as one stream with parts().
class TrainingSource {
public:
    // `first`: the run's store (of a mixture, its first), which outlives this. Throws DataError: no train split, or a tokenizer other than
    // the first store's.
    TrainingSource(const DataConfig& data, const TokenStore& first);
    ~TrainingSource();
    TrainingSource(TrainingSource&&) noexcept;
    [[nodiscard]] const TokenStream& stream() const;
    // The store that holds this position of the stream.
    [[nodiscard]] const TokenStore& store_at(std::int64_t position) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The store that a configuration names: data.store, the mixture's first, or `fallback`.
std::filesystem::path store_path(const DataConfig& data, const std::filesystem::path& fallback);
// A second store of the same tokenizer. Throws DataError when it has another.
TokenStore open_like(const std::filesystem::path& path, const TokenStore& first, const char* key);

}  // namespace longbow
