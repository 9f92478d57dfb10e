#include "longbow/data/prepare.h"

#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "encode_pipeline.h"
#include "existing_store.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/progress.h"
#include "longbow/text/tokenizer.h"
#include "split_writer.h"

namespace longbow {

namespace {

// Every file that cannot be read, in one message.
void check_sources(const SplitFiles& splits) {
    std::vector<std::string> problems;
    for (const auto& [split, files] : splits) {
        for (const auto& file : *files) {
            std::error_code error;
            const auto status = fs::status(file, error);
            if (!fs::exists(status)) {
                problems.push_back(file + " (" + split + "): no such file");
            } else if (fs::is_directory(status)) {
                problems.push_back(file + " (" + split + "): a folder; name its files");
            } else if (!fs::is_regular_file(status)) {
                problems.push_back(file + " (" + split + "): not a regular file");
            } else if (::access(file.c_str(), R_OK) != 0) {
                problems.push_back(file + " (" + split + "): permission denied");
            }
        }
    }
    if (problems.size() == 1) throw DataError(problems.front());
    if (!problems.empty()) throw DataError(strprintf("%zu text files cannot be read: ", problems.size()) + join(problems, "; "));
}

std::uint64_t bytes_on_disk(const SplitFiles& splits) {
    std::uint64_t bytes = 0;
    for (const auto& [split, files] : splits) {
        for (const auto& file : *files) bytes += fs::file_size(file);
    }
    return bytes;
}

// Refuses early what cannot succeed. The estimate is low on purpose (6 bytes of text a token; compressed text taken as it is):
// what is missed here ends in the same clear error when the disk is full.
void check_free_space(const SplitFiles& splits, const fs::path& out) {
    const std::uint64_t least = bytes_on_disk(splits) / 6 * 2;
    const std::uint64_t free = free_space(out);
    if (least > free) {
        throw Error(strprintf("%s: the store needs at least %s and %s are free: choose another place or free some space", out.c_str(),
                              human_bytes(static_cast<double>(least)).c_str(), human_bytes(static_cast<double>(free)).c_str()));
    }
}

void warn_of_shared_text(const std::vector<SplitManifest>& splits) {
    std::map<std::string, std::string> seen;
    for (const auto& split : splits) {
        for (const auto& source : split.sources) {
            const auto [found, fresh] = seen.emplace(source.fingerprint, split.name);
            if (!fresh && found->second != split.name) {
                log::warn("the " + split.name + " split holds text of the " + found->second + " split (" + source.name + "): its perplexity will be too low");
            }
        }
    }
}

std::unique_ptr<Tokenizer> make_tokenizer(const PrepareRequest& request, int threads) {
    if (!request.tokenizer.file.empty()) return open_tokenizer(request.tokenizer);
    if (request.data.train.empty()) {
        throw UsageError("training a " + request.tokenizer.kind + " vocabulary needs train files; or name an existing one (tokenizer.file)");
    }
    log::info("learning a " + request.tokenizer.kind + " vocabulary from the train split");
    return train_tokenizer(request.tokenizer, request.data.train, threads);
}

// Progress over all splits, by bytes on disk; rates in bytes of text.
class Progress {
public:
    explicit Progress(const SplitFiles& splits) : total_(bytes_on_disk(splits)) {}
    std::atomic<std::uint64_t>& position() { return position_; }
    void next_split() {
        done_ += position_.exchange(0);
    }
    void show(const std::string& split, std::uint64_t text_bytes) {
        const auto done = static_cast<double>(done_ + position_.load());
        const double eta = meter_.eta(done, static_cast<double>(total_));
        line_.show(strprintf("prepare %s  %s of %s  %.1f MB/s%s", split.c_str(), human_bytes(done).c_str(), human_bytes(static_cast<double>(total_)).c_str(),
                             meter_.rate(static_cast<double>(text_bytes)) / 1e6, eta >= 0 ? ("  ETA " + human_seconds(eta)).c_str() : ""));
    }
    [[nodiscard]] double seconds() const { return meter_.elapsed(); }
    void finish() { line_.finish(); }

private:
    std::uint64_t total_;
    std::uint64_t done_ = 0;
    std::atomic<std::uint64_t> position_{0};
    RateMeter meter_;
    ProgressLine line_;
};

PrepareResult result_of(const StoreManifest& store) {
    PrepareResult result;
    for (const auto& split : store.splits) result.splits.push_back({split.name, split.tokens, split.documents, split.raw_bytes});
    return result;
}

// Keeps the store that is there if it is the one asked for. False: there is none, or it may be replaced.
bool reuse(const PrepareRequest& request, PrepareResult& result) {
    const auto found = existing_at(request.out);
    if (found == Existing::nothing) return false;
    if (found == Existing::other) {
        throw Error(request.out.string() + " exists and is not a token store: choose another place for the store, or remove it first");
    }
    if (request.overwrite) return false;
    std::vector<std::string> differences;
    try {
        differences = store_differences(request.out, request);
    } catch (const DataError& error) {
        throw DataError(std::string(error.what()) + " (--overwrite replaces the store)");
    }
    if (!differences.empty()) {
        throw DataError(request.out.string() + " is a store of other text or settings (" + join(differences, "; ") +
                        "): give --overwrite to replace it, or choose another place");
    }
    const TokenStore store(request.out);
    result = result_of(parse_manifest(store.manifest(), request.out.string()));
    result.reused = true;
    log::info(request.out.string() + ": already prepared from the same text and settings; kept");
    return true;
}

SplitManifest write_split(const std::string& name, const std::vector<std::string>& files, const Tokenizer& tokenizer, const PrepareRequest& request,
                          int threads, const fs::path& folder, std::uint64_t text_before, Progress& progress) {
    SplitWriter writer(folder, name, tokenizer);
    auto sources = encode_files(
        {tokenizer, files, request.data, threads},
        [&](const EncodedChunk& chunk) {
            writer.add(chunk);
            progress.show(name, text_before + writer.raw_bytes());
            failpoint("data.chunk");
        },
        &progress.position());
    progress.next_split();
    return writer.finish(std::move(sources));
}

}  // namespace

PrepareResult prepare_store(const PrepareRequest& request) {
    const auto splits = requested_splits(request.data);
    if (splits.empty()) throw UsageError("no text to prepare: name files for train, valid or test");
    if (request.out.empty()) throw UsageError("no place for the store: give --out, or data.store");
    check_sources(splits);
    PrepareResult result;
    if (reuse(request, result)) return result;

    const int threads = request.threads > 0 ? request.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    remove_leftovers(request.out);
    check_free_space(splits, request.out);
    DirectoryTransaction transaction(request.out, true);

    const RateMeter tokenizer_time;
    const auto tokenizer = make_tokenizer(request, threads);
    save_tokenizer(*tokenizer, transaction.path());
    const double tokenizer_seconds = tokenizer_time.elapsed();

    StoreManifest store;
    store.tokenizer = {tokenizer->kind(), tokenizer->fingerprint(), tokenizer->vocab_size(), tokenizer->boundary(), training_settings(request.tokenizer)};
    store.documents = request.data.documents;
    store.blank_lines = request.data.documents == "blank_line" ? request.data.blank_lines : 0;
    store.id_bytes = id_bytes_for(tokenizer->vocab_size());
    Progress progress(splits);
    std::uint64_t text_bytes = 0;
    for (const auto& [name, files] : splits) {
        store.splits.push_back(write_split(name, *files, *tokenizer, request, threads, transaction.path(), text_bytes, progress));
        text_bytes += store.splits.back().raw_bytes;
    }
    warn_of_shared_text(store.splits);

    failpoint("data.before_manifest");
    write_file_atomic(transaction.path() / "manifest.json", manifest_text(store));
    failpoint("data.before_rename");
    transaction.commit();
    failpoint("data.after_rename");

    progress.finish();
    result = result_of(store);
    result.seconds = progress.seconds();
    result.tokenizer_seconds = tokenizer_seconds;
    return result;
}

}  // namespace longbow
