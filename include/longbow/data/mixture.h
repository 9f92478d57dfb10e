// Joins several stores into one training stream. Each store has a weight, which is the share of the samples that come
// from it.
//
// The source of the i-th sample, and which of that source's samples it is, are a function of (seed, i) without a table.
// The counts after n samples follow from n alone, so that shares are exact to a few samples at every point of the run.
// Within each round of 256 samples a keyed permutation decides the order of the sources. Each store is passed through
// in its own order (sample_order.h), epoch after epoch, and none of its blocks is left out; a small store with a large
// weight is seen more often.
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

// Parses data.mixture, whose entries are "STORE=WEIGHT", or "STORE" for weight 1. Throws ConfigError for a weight that
// is no number above 0, a store that is named twice, and a weight below a millionth of the whole.
std::vector<MixtureEntry> parse_mixture(const std::vector<std::string>& entries);

class MixtureChoice {
public:
    static constexpr std::int64_t kRound = 256;  // samples

    MixtureChoice(const std::vector<double>& weights, std::uint64_t seed);
    struct Draw {
        std::size_t source;
        std::int64_t sample;  // number within that source, from 0; each is drawn exactly once
    };
    // Returns the source of sample `sample` of the run.
    [[nodiscard]] Draw at(std::int64_t sample) const;

private:
    struct Share {
        std::uint64_t part;  // share of what the earlier sources leave, in units of 2^-32
        std::uint64_t phase;
        [[nodiscard]] std::int64_t of(std::int64_t count) const {
            return static_cast<std::int64_t>((static_cast<unsigned __int128>(count) * part + phase) >> 32);
        }
    };
    std::vector<Share> shares_;
    std::uint64_t seed_;
};

// What a run trains on: the train split of its store, or those of all stores of data.mixture, one after the other as
// one stream with parts().
class TrainingSource {
public:
    // `first` is the run's store (the first of a mixture) and must outlive this object. Throws DataError when a store
    // has no train split or a tokenizer other than the first's.
    TrainingSource(const DataConfig& data, const TokenStore& first);
    ~TrainingSource();
    TrainingSource(TrainingSource&&) noexcept;
    [[nodiscard]] const TokenStream& stream() const;
    // Returns the store that holds this position of the stream.
    [[nodiscard]] const TokenStore& store_at(std::int64_t position) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Returns the store that a configuration names: the first of data.mixture, else data.store, else `fallback`.
std::filesystem::path store_path(const DataConfig& data, const std::filesystem::path& fallback);
// Opens another store. Throws DataError that names `key`, the setting it came from, when its tokenizer differs from
// that of `first`.
TokenStore open_like(const std::filesystem::path& path, const TokenStore& first, const char* key);

}  // namespace longbow
