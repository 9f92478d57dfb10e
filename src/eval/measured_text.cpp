#include "longbow/eval/measured_text.h"

#include <algorithm>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/input.h"
#include "longbow/core/strings.h"
#include "longbow/data/memory_stream.h"
#include "longbow/data/store_name.h"
#include "longbow/prepare/text_stream.h"

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

}  // namespace

MeasuredText::MeasuredText(const std::string& store, std::vector<std::string> files, std::string split, int threads,
                           std::int64_t assumed)
    : path_(store), files_(std::move(files)), split_(std::move(split)), threads_(threads) {
    if (!files_.empty()) return;
    if (assumed > 0 && !fs::exists(fs::path(store) / "manifest.json")) {
        assumed_ = assumed;
    } else {
        store_ = std::make_unique<TokenStore>(store);
    }
}

std::string MeasuredText::name() const { return files_.empty() ? store_name(path_) : text_name(files_); }

std::string MeasuredText::data_set() const {
    return files_.empty() ? data_set_of(fs::path(path_)) : data_set_of(files_);
}

const TokenStream& MeasuredText::stream(const MeasuredRun& run) {
    if (!store_) return encoded(run);
    if (store_->tokenizer_fingerprint() != run.tokenizer) {
        throw DataError(store_->path().string() + " was made with another tokenizer (" +
                        store_->tokenizer_fingerprint() + ") than the checkpoint " + run.checkpoint.path.string() +
                        " (" + run.tokenizer + "): prepare the text with the checkpoint's tokenizer, or use --text");
    }
    return store_->split(split_);
}

const TokenStream& MeasuredText::encoded(const MeasuredRun& run) {
    const auto rules = cutting(run.checkpoint.config.data);
    const auto known = std::find_if(encoded_.begin(), encoded_.end(), [&](const Encoded& one) {
        return one.tokenizer == run.tokenizer && one.data == rules;
    });
    if (known != encoded_.end()) return *known->stream;
    for (const auto& file : files_) {
        if (!encoded_.empty() && !can_be_read_again(file))
            throw UsageError(
                file +
                " can be read only once, but these runs need it encoded by more than one tokenizer or rule: write it to a file first");
    }
    auto stream = is_assumed() ? assumed_for(run) : stream_of_text(*run.checkpoint.tokenizer, files_, rules, threads_);
    if (stream->size() == 0) throw DataError(join(files_, ", ") + ": no tokens to score");
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
