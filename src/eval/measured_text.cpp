#include "longbow/eval/measured_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/input.h"
#include "longbow/core/strings.h"
#include "longbow/data/memory_stream.h"
#include "longbow/data/npy_ids.h"
#include "longbow/data/store_name.h"
#include "longbow/prepare/text_stream.h"
#include "longbow/text/reader.h"

namespace longbow {

namespace {

// Returns the settings that decide how a text becomes documents and tokens.
DataConfig cutting(const DataConfig& data) {
    DataConfig rules;
    rules.documents = data.documents;
    rules.blank_lines = data.blank_lines;
    rules.jsonl_key = data.jsonl_key;
    return rules;
}

// Opens each file as it will be read, but for pipes, which are opened once. A text that is missing is found here,
// before a public model is imported for it.
void check_readable(const std::vector<std::string>& files) {
    for (const auto& file : files) {
        if (!fs::is_other(fs::status(file))) (void)TextReader(file);
    }
}

}  // namespace

MeasuredText::MeasuredText(TextSource source, int threads, std::int64_t assumed)
    : source_(std::move(source)), threads_(threads) {
    check_readable(source_.files);
    if (is_ids()) {
        ids_ = read_npy_ids(source_.ids);
        largest_at_ = std::max_element(ids_.begin(), ids_.end()) - ids_.begin();
    }
    if (!source_.read_files().empty()) return;
    if (assumed > 0 && !fs::exists(fs::path(source_.store) / "manifest.json")) {
        assumed_ = assumed;
    } else {
        store_ = std::make_unique<TokenStore>(source_.store);
        (void)store_->split(source_.split);
    }
}

std::string MeasuredText::split() const {
    if (is_ids()) return "ids";
    return source_.files.empty() ? source_.split : "text";
}

std::string MeasuredText::name() const {
    const auto files = source_.read_files();
    return files.empty() ? store_name(source_.store) : text_name(files);
}

std::string MeasuredText::data_set() const {
    const auto files = source_.read_files();
    return files.empty() ? data_set_of(fs::path(source_.store)) : data_set_of(files);
}

const TokenStream& MeasuredText::stream(const MeasuredRun& run) {
    if (is_ids()) return given(run);
    if (!store_) return encoded(run);
    if (store_->tokenizer_fingerprint() != run.tokenizer) {
        throw DataError(store_->path().string() + " was made with another tokenizer (" +
                        store_->tokenizer_fingerprint() + ") than the checkpoint " + run.checkpoint.path.string() +
                        " (" + run.tokenizer + "): prepare the text with the checkpoint's tokenizer, or use --text");
    }
    return store_->split(source_.split);
}

// The ids are the same for every run, and the boundary is that of the run's tokenizer.
const TokenStream& MeasuredText::given(const MeasuredRun& run) {
    auto known = std::find_if(encoded_.begin(), encoded_.end(),
                              [&](const Encoded& one) { return one.tokenizer == run.tokenizer; });
    if (known == encoded_.end()) {
        auto ids = ids_.empty() ? read_npy_ids(source_.ids) : std::exchange(ids_, {});
        auto stream = stream_without_text(std::move(ids), run.checkpoint.tokenizer->boundary());
        encoded_.push_back({run.tokenizer, {}, std::move(stream)});
        known = encoded_.end() - 1;
    }
    std::int64_t largest = 0;
    known->stream->read(largest_at_, 1, &largest);
    if (largest >= run.vocab_size()) {
        throw DataError(
            fmt::format("{}: id {} at index {} is beyond the {} ids of the model {}: encode the text with "
                        "this model's tokenizer",
                        source_.ids, largest, largest_at_, run.vocab_size(), run.checkpoint.path.string()));
    }
    return *known->stream;
}

const TokenStream& MeasuredText::encoded(const MeasuredRun& run) {
    const auto rules = cutting(run.checkpoint.config.data);
    const auto known = std::find_if(encoded_.begin(), encoded_.end(), [&](const Encoded& one) {
        return one.tokenizer == run.tokenizer && one.data == rules;
    });
    if (known != encoded_.end()) return *known->stream;
    for (const auto& file : source_.files) {
        if (!encoded_.empty() && !can_be_read_again(file))
            throw UsageError(
                file +
                " can be read only once, but these runs need it encoded by more than one tokenizer or rule: write it to a file first");
    }
    auto stream =
        is_assumed() ? assumed_for(run) : stream_of_text(*run.checkpoint.tokenizer, source_.files, rules, threads_);
    if (stream->size() == 0) throw DataError(join(source_.files, ", ") + ": no tokens to score");
    encoded_.push_back({run.tokenizer, rules, std::move(stream)});
    return *encoded_.back().stream;
}

// The assumed tokens are every id in turn, since their order does not affect the time.
std::unique_ptr<TokenStream> MeasuredText::assumed_for(const MeasuredRun& run) const {
    std::vector<TokenId> ids(static_cast<std::size_t>(assumed_));
    const auto words = run.checkpoint.tokenizer->vocab_size();
    for (std::size_t i = 0; i < ids.size(); ++i)
        ids[i] = static_cast<TokenId>(static_cast<std::int64_t>(i * 7919) % words);
    return stream_of_ids(std::move(ids), run.checkpoint.tokenizer->boundary());
}

}  // namespace longbow
