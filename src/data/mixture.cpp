#include "longbow/data/mixture.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/random.h"
#include "longbow/core/strings.h"
#include "longbow/data/sample_order.h"

namespace longbow {

namespace {

constexpr std::uint64_t kPhase = 0x6d6978, kTurn = 0x7475726e;
constexpr double kLeastShare = 1e-6;

// Several streams, one after the other. The token before a stream's first one is the last of the stream before: a
// boundary, as at the stream's own start.
class JoinedStream final : public TokenStream {
public:
    JoinedStream(std::vector<const TokenStream*> streams, std::vector<double> weights)
        : streams_(std::move(streams)), weights_(std::move(weights)) {
        for (const auto* stream : streams_) begins_.push_back(begins_.back() + stream->size());
    }

    [[nodiscard]] std::int64_t size() const override { return begins_.back(); }
    [[nodiscard]] TokenId boundary() const override { return streams_.front()->boundary(); }
    [[nodiscard]] std::vector<StreamPart> parts() const override {
        std::vector<StreamPart> parts;
        for (std::size_t i = 0; i < streams_.size(); ++i) parts.push_back({streams_[i]->size(), weights_[i]});
        return parts;
    }
    void read(std::int64_t begin, std::int64_t count, std::int64_t* out) const override {
        if (begin < 0 || count < 0 || begin > size() - count) {
            throw DataError(fmt::format("{} tokens from position {} reach outside the mixture of {} tokens", count,
                                        begin, with_commas(size())));
        }
        for_each_part(begin, count, [&](const TokenStream& stream, std::int64_t first, std::int64_t here) {
            stream.read(first, here, out);
            out += here;
        });
    }
    void prefetch(std::int64_t begin, std::int64_t count) const override {
        for_each_part(begin, count, [](const TokenStream& stream, std::int64_t first, std::int64_t here) {
            stream.prefetch(first, here);
        });
    }
    [[nodiscard]] double bytes_before(std::int64_t end) const override { return sum(end, &TokenStream::bytes_before); }
    [[nodiscard]] double words_before(std::int64_t end) const override { return sum(end, &TokenStream::words_before); }
    [[nodiscard]] const std::vector<std::int64_t>& document_ends() const override {
        std::call_once(documents_once_, [this] {
            for (std::size_t i = 0; i < streams_.size(); ++i) {
                for (const auto end : streams_[i]->document_ends()) document_ends_.push_back(begins_[i] + end);
            }
        });
        return document_ends_;
    }
    // Depends on the texts and their weights, since both decide what a run sees.
    [[nodiscard]] std::string fingerprint() const override {
        std::string text;
        for (std::size_t i = 0; i < streams_.size(); ++i)
            text += streams_[i]->fingerprint() + "=" + number_text(weights_[i]) + "\n";
        return longbow::fingerprint(text);
    }
    [[nodiscard]] std::size_t part_of(std::int64_t position) const {
        return static_cast<std::size_t>(std::upper_bound(begins_.begin() + 1, begins_.end() - 1, position) -
                                        begins_.begin()) -
               1;
    }

private:
    template <class Action>
    void for_each_part(std::int64_t begin, std::int64_t count, Action action) const {
        for (std::size_t i = part_of(begin); count > 0; ++i) {
            const auto here = std::min(count, begins_[i + 1] - begin);
            action(*streams_[i], begin - begins_[i], here);
            begin += here;
            count -= here;
        }
    }
    [[nodiscard]] double sum(std::int64_t end, double (TokenStream::*measure)(std::int64_t) const) const {
        if (end < 0 || end > size()) throw DataError(fmt::format("token position {} is outside the mixture", end));
        double total = 0;
        for (std::size_t i = 0; i < streams_.size() && end > begins_[i]; ++i)
            total += (streams_[i]->*measure)(std::min(end - begins_[i], streams_[i]->size()));
        return total;
    }

    std::vector<const TokenStream*> streams_;
    std::vector<double> weights_;
    std::vector<std::int64_t> begins_ = {0};  // followed by the end of the last
    mutable std::once_flag documents_once_;
    mutable std::vector<std::int64_t> document_ends_;
};

}  // namespace

std::vector<MixtureEntry> parse_mixture(const std::vector<std::string>& entries) {
    std::vector<MixtureEntry> mixture;
    std::set<std::string> seen;
    double total = 0;
    for (const auto& entry : entries) {
        MixtureEntry parsed{entry, 1};
        if (const auto equals = entry.rfind('='); equals != std::string::npos) {
            parsed.store = trim(entry.substr(0, equals));
            const std::string number(trim(entry.substr(equals + 1)));
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), parsed.weight);
            if (error != std::errc{} || end != number.data() + number.size() || !(parsed.weight > 0) ||
                !std::isfinite(parsed.weight)) {
                throw ConfigError("data.mixture: \"" + entry + "\": expected STORE=WEIGHT with a number above 0");
            }
        }
        if (parsed.store.empty()) throw ConfigError("data.mixture: \"" + entry + "\" names no store");
        std::error_code error;
        // A link to a store is the same store.
        const auto place = std::filesystem::weakly_canonical(parsed.store, error);
        if (!seen.insert(error ? parsed.store : place.string()).second)
            throw ConfigError("data.mixture: " + parsed.store + " is named twice; give it one weight");
        total += parsed.weight;
        mixture.push_back(std::move(parsed));
    }
    for (const auto& entry : mixture) {
        if (entry.weight / total < kLeastShare)
            throw ConfigError("data.mixture: " + entry.store + " has less than a millionth of the weight");
    }
    return mixture;
}

MixtureChoice::MixtureChoice(const std::vector<double>& weights, std::uint64_t seed) : seed_(seed) {
    double left = 0;
    for (const double weight : weights) left += weight;
    for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
        shares_.push_back({static_cast<std::uint64_t>(std::llround(std::ldexp(weights[i] / left, 32))),
                           seed_of(seed, kPhase, i) & 0xFFFFFFFFU});
        left -= weights[i];
    }
}

MixtureChoice::Draw MixtureChoice::at(std::int64_t sample) const {
    const auto round = sample / kRound;
    auto turn = static_cast<std::int64_t>(Permutation(kRound, seed_of(seed_, kTurn, static_cast<std::uint64_t>(round)))
                                              .at(static_cast<std::uint64_t>(sample % kRound)));
    // These hold the number of samples that the sources so far leave to the later ones, before this round and before
    // the next.
    auto before = round * kRound;
    auto after = before + kRound;
    for (std::size_t i = 0; i < shares_.size(); ++i) {
        const auto first = shares_[i].of(before);
        const auto end = shares_[i].of(after);
        if (turn < end - first) return {i, first + turn};
        turn -= end - first;
        before -= first;
        after -= end;
    }
    return {shares_.size(), before + turn};
}

struct TrainingSource::Impl {
    const TokenStore* first;
    std::vector<TokenStore> others;
    std::unique_ptr<JoinedStream> joined;  // null without a mixture
};

TrainingSource::TrainingSource(const DataConfig& data, const TokenStore& first) : impl_(std::make_unique<Impl>()) {
    impl_->first = &first;
    if (data.mixture.empty()) {
        (void)first.split("train");
        return;
    }
    const auto mixture = parse_mixture(data.mixture);
    std::vector<double> weights = {mixture.front().weight};
    std::vector<const TokenStream*> streams = {&first.split("train")};
    for (auto entry = mixture.begin() + 1; entry != mixture.end(); ++entry) {
        impl_->others.push_back(open_like(entry->store, first, "data.mixture"));
        streams.push_back(&impl_->others.back().split("train"));
        weights.push_back(entry->weight);
    }
    impl_->joined = std::make_unique<JoinedStream>(std::move(streams), std::move(weights));
}

TrainingSource::~TrainingSource() = default;
TrainingSource::TrainingSource(TrainingSource&&) noexcept = default;

const TokenStream& TrainingSource::stream() const {
    if (impl_->joined) return *impl_->joined;
    return impl_->first->split("train");
}

const TokenStore& TrainingSource::store_at(std::int64_t position) const {
    const auto part = impl_->joined ? impl_->joined->part_of(position) : 0;
    return part == 0 ? *impl_->first : impl_->others[part - 1];
}

std::filesystem::path store_path(const DataConfig& data, const std::filesystem::path& fallback) {
    if (!data.mixture.empty()) return parse_mixture(data.mixture).front().store;
    return data.store.empty() ? fallback : std::filesystem::path(data.store);
}

TokenStore open_like(const std::filesystem::path& path, const TokenStore& first, const char* key) {
    TokenStore store(path);
    if (store.tokenizer_fingerprint() != first.tokenizer_fingerprint()) {
        throw DataError(std::string(key) + ": " + path.string() + " was made with another tokenizer (" +
                        store.tokenizer_fingerprint() + ") than " + first.path().string() + " (" +
                        first.tokenizer_fingerprint() + "): prepare it with --tokenizer KIND:" + first.path().string());
    }
    return store;
}

}  // namespace longbow
