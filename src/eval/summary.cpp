// Computes a row's numbers from per-token losses: means, intervals, losses by position. No model is needed here.
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "longbow/core/error.h"
#include "longbow/core/interval.h"
#include "longbow/eval/evaluator.h"

namespace longbow {

namespace {

// Places 0 to 63 have a bucket each; above, every octave has eight buckets: 64-71, 72-79, ..., 128-143, ...
constexpr std::int64_t kSinglePlaces = 64;
constexpr int kBucketsAnOctave = 8;

std::size_t bucket_of(std::int64_t place) {
    if (place < kSinglePlaces) return static_cast<std::size_t>(place);
    const int octave = std::bit_width(static_cast<std::uint64_t>(place)) - 1;  // place in [2^octave, 2^(octave+1))
    const auto width = (std::int64_t{1} << octave) / kBucketsAnOctave;
    const auto within = (place - (std::int64_t{1} << octave)) / width;
    return static_cast<std::size_t>(kSinglePlaces + (octave - 6) * kBucketsAnOctave + within);
}

std::int64_t bucket_begin(std::size_t bucket) {
    const auto b = static_cast<std::int64_t>(bucket);
    if (b < kSinglePlaces) return b;
    const auto octave = 6 + (b - kSinglePlaces) / kBucketsAnOctave;
    return (std::int64_t{1} << octave) / kBucketsAnOctave * (kBucketsAnOctave + (b - kSinglePlaces) % kBucketsAnOctave);
}

// Returns the scored targets in order, as maximal stretches [begin, end).
std::vector<std::pair<std::int64_t, std::int64_t>> scored_stretches(const std::vector<EvalWindow>& windows) {
    std::vector<std::pair<std::int64_t, std::int64_t>> stretches;
    for (const auto& window : windows) {
        if (!stretches.empty() && stretches.back().second == window.score_begin) {
            stretches.back().second = window.end;
        } else {
            stretches.emplace_back(window.score_begin, window.end);
        }
    }
    return stretches;
}

// Returns the raw bytes of each block of 1,024 scored targets.
std::vector<double> bytes_of_blocks(const TokenStream& stream, const std::vector<EvalWindow>& windows) {
    std::vector<double> bytes(1, 0.0);
    std::int64_t room = kIntervalBlock;
    for (auto [begin, end] : scored_stretches(windows)) {
        while (begin < end) {
            if (room == 0) {
                bytes.push_back(0);
                room = kIntervalBlock;
            }
            const auto next = std::min(end, begin + room);
            bytes.back() += stream.bytes_before(next) - stream.bytes_before(begin);
            room -= next - begin;
            begin = next;
        }
    }
    return bytes;
}

void fill_positions(EvalResult& result, const std::vector<double>& nll, const std::vector<EvalWindow>& windows) {
    std::vector<double> sums;
    std::vector<std::int64_t> counts;
    std::size_t next = 0;
    for (const auto& window : windows) {
        for (auto target = window.score_begin; target < window.end; ++target) {
            const auto bucket = bucket_of(target - window.begin);
            if (bucket >= sums.size()) {
                sums.resize(bucket + 1);
                counts.resize(bucket + 1);
            }
            sums[bucket] += nll[next++];
            ++counts[bucket];
        }
    }
    for (std::size_t bucket = 0; bucket < sums.size(); ++bucket) {
        if (counts[bucket] == 0) continue;  // sliding windows score only some places
        result.position_begin.push_back(bucket_begin(bucket));
        result.nll_by_position.push_back(sums[bucket] / static_cast<double>(counts[bucket]));
        result.tokens_by_position.push_back(counts[bucket]);
    }
}

}  // namespace

std::int64_t stride_of(const EvalRequest& request) {
    if (request.stride != 0) return request.stride;
    return request.truncate ? request.length : default_stride(request.protocol, request.length);
}

void take_settings(Measurement& measurement, const EvalRequest& request) {
    static_cast<EvalSettings&>(measurement) = request;
    measurement.stride = stride_of(request);
    measurement.within_documents |= protocol_named(request.protocol).documents_apart;
    if (!measurement.bos) measurement.bos = default_bos(request.protocol);
    measurement.dtype = name_of(request.dtype);
}

EvalPlanRequest plan_request(const EvalRequest& request, std::int64_t tokens) {
    EvalPlanRequest plan;
    plan.protocol = request.protocol;
    plan.length = request.length;
    plan.stride = request.stride;
    plan.tokens = tokens;
    plan.bos = request.bos;
    plan.truncate = request.truncate;
    plan.min_document_tokens = request.min_document_tokens;
    return plan;
}

EvalPlanRequest plan_request(const TokenStream& stream, const EvalRequest& request) {
    const auto limit = request.max_stream_tokens;
    auto plan = plan_request(request, limit > 0 ? std::min(limit, stream.size()) : stream.size());
    if (request.within_documents || protocol_named(request.protocol).documents_apart)
        plan.document_ends = stream.document_ends();
    plan.ends_with_boundary = stream.ends_with_boundary();
    return plan;
}

EvalPlan plan_evaluation(const TokenStream& stream, const EvalRequest& request) {
    auto plan = plan_request(stream, request);
    EvalPlan evaluation{request, plan_windows(plan), std::min(request.length, longest_stretch(plan)), 0};
    if (plan.min_document_tokens == 0) return evaluation;
    const auto kept = planned_stretches(plan).size();
    plan.min_document_tokens = 0;
    evaluation.documents_left_out = static_cast<std::int64_t>(planned_stretches(plan).size() - kept);
    return evaluation;
}

std::int64_t EvalPlan::scored() const {
    std::int64_t targets = 0;
    for (const auto& window : windows) targets += window.end - window.score_begin;
    return targets;
}

const EvalPlan& EvalPlans::of(const TokenStream& stream, const EvalRequest& request) {
    Measurement how;
    take_settings(how, request);
    const auto key = std::pair(&stream, how.key() + std::to_string(request.max_batch_tokens));
    const auto found = plans_.find(key);
    return found != plans_.end() ? found->second : plans_.emplace(key, plan_evaluation(stream, request)).first->second;
}

double mean_nll(const std::vector<double>& nll) {
    return std::accumulate(nll.begin(), nll.end(), 0.0) / static_cast<double>(nll.size());
}

EvalResult summarise(const std::vector<double>& nll, const TokenStream& stream, const EvalPlan& plan, EvalResult row) {
    const auto& request = plan.request;
    const auto& windows = plan.windows;
    std::int64_t tokens = 0;
    double bytes = 0;
    double words = 0;
    for (const auto& [begin, end] : scored_stretches(windows)) {
        tokens += end - begin;
        bytes += stream.bytes_before(end) - stream.bytes_before(begin);
        words += stream.words_before(end) - stream.words_before(begin);
    }
    if (tokens != static_cast<std::int64_t>(nll.size())) {
        throw Error(fmt::format("{} losses for {} scored tokens", nll.size(), tokens));
    }

    auto result = std::move(row);
    take_settings(result, request);
    result.data = stream.fingerprint();
    result.tokens = tokens;
    result.windows = static_cast<std::int64_t>(windows.size());
    result.longest_window = plan.longest_window;
    result.documents_left_out = plan.documents_left_out;
    result.block_nll = block_sums(nll);
    result.block_bytes = bytes_of_blocks(stream, windows);

    const double total = std::accumulate(nll.begin(), nll.end(), 0.0);
    result.nll = mean_nll(nll);
    result.ppl = std::exp(result.nll);
    const auto& protocol = protocol_named(request.protocol);
    result.tool_ppl = protocol.tool_ppl ? protocol.tool_ppl(nll, windows) : result.ppl;
    const auto interval = mean_estimate({result.block_nll}, block_counts(tokens)).interval;
    if (interval && std::isfinite(std::exp(interval->high)))
        result.ppl_ci = Interval{std::exp(interval->low), std::exp(interval->high)};
    if (bytes > 0) result.bits_per_byte = total / std::numbers::ln2 / bytes;
    result.words = words;
    if (words > 0) result.ppl_per_word = std::exp(total / words);
    fill_positions(result, nll, windows);
    return result;
}

}  // namespace longbow
