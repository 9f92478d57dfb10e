#include "longbow/prepare/prepare.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "encode_pipeline.h"
#include "existing_store.h"
#include "inputs.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/machine.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/token_store.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/progress.h"
#include "longbow/text/json_lines.h"
#include "longbow/text/tokenizer.h"
#include "prepare_progress.h"
#include "prepare_state.h"
#include "split_writer.h"
#include "text_notes.h"
#include "work_folder.h"

namespace longbow {

namespace {

std::uint64_t bytes_in(const fs::path& folder) {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder)) bytes += entry.file_size();
    return bytes;
}

void warn_of_shared_text(const std::vector<SplitManifest>& splits) {
    std::map<std::string, std::string> seen;
    for (const auto& split : splits) {
        for (const auto& source : split.sources) {
            const auto [found, inserted] = seen.emplace(source.fingerprint, split.name);
            if (!inserted && found->second != split.name) {
                log::warn("the " + split.name + " split holds text of the " + found->second + " split (" + source.name +
                          "): its perplexity will be too low");
            }
        }
    }
}

PrepareResult result_of(const StoreManifest& store) {
    PrepareResult result;
    for (const auto& split : store.splits)
        result.splits.push_back({split.name, split.tokens, split.documents, split.raw_bytes});
    return result;
}

// Removes a work folder left by a prepare that was killed after it had moved the store into place. If another process
// still holds the folder, it is left alone.
void remove_work_folder(const fs::path& out) {
    if (!fs::exists(WorkFolder::path_for(out))) return;
    try {
        const WorkFolder left(out);
    } catch (const Error&) {
    }
}

// A mount point cannot be renamed, and its contents lie on another file system than its name.
void refuse_mount_point(const fs::path& out) {
    struct stat folder {
    }, parent{};
    if (::stat(out.c_str(), &folder) != 0 || ::stat((out / "..").c_str(), &parent) != 0 ||
        folder.st_dev == parent.st_dev)
        return;
    throw Error(out.string() +
                " is the top of a mounted file system, which a store cannot replace: name a folder in it");
}

// Returns true and keeps the store at request.out if it is the requested one, false if there is none or it may be
// replaced. Throws otherwise.
bool reuse(const PrepareRequest& request, PrepareResult& result) {
    const auto found = existing_at(request.out);
    if (found == Existing::nothing) return false;
    if (found == Existing::other) {
        throw Error(request.out.string() +
                    " exists and is not a token store: choose another place for the store, or remove it first");
    }
    if (request.overwrite) {
        check_nothing_foreign(request.out);
        return false;
    }
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
    remove_work_folder(request.out);
    return true;
}

// Decides when the state is saved: at the first end of a file, and later when the time since the last save is at least
// 20 times what that cost (and 0.25 s at ends of files, 15 s within one).
class SaveClock {
public:
    [[nodiscard]] bool due_at_file_end() const { return !saved_ || meter_.elapsed() >= std::max(0.25, 20 * cost_); }
    [[nodiscard]] bool due_within_file() const { return meter_.elapsed() >= std::max(15.0, 20 * cost_); }
    template <class Save>
    void time(Save save) {
        const RateMeter meter;
        save();
        cost_ = meter.elapsed();
        meter_ = RateMeter();
        saved_ = true;
    }

private:
    RateMeter meter_;
    double cost_ = 0;
    bool saved_ = false;
};

class Preparation {
public:
    // `given` is the tokenizer of request.tokenizer.file, which is opened before the work folder is made, so that a
    // wrong file leaves nothing behind.
    Preparation(const PrepareRequest& request, const SplitFiles& splits, std::unique_ptr<Tokenizer> given)
        : request_(request), splits_(splits), given_(std::move(given)), work_(request.out) {}

    PrepareResult run() {
        resume_or_start();
        check_free_space();
        const RateMeter tokenizer_time;
        const auto tokenizer = make_tokenizer();
        const double tokenizer_seconds = tokenizer_time.elapsed();
        PrepareProgress progress(splits_, state_);
        for (std::size_t i = state_.done.size(); i < splits_.size(); ++i)
            write_split(splits_[i].first, *splits_[i].second, *tokenizer, progress);
        const StoreManifest store = write_manifest(*tokenizer);
        // Foreign files may have appeared while the store was made.
        if (existing_at(request_.out) == Existing::store) check_nothing_foreign(request_.out);
        work_.finish();
        progress.finish();
        PrepareResult result = result_of(store);
        result.encoded_bytes = progress.text_bytes();
        result.seconds = progress.seconds();
        result.tokenizer_seconds = tokenizer_seconds;
        return result;
    }

private:
    [[nodiscard]] int threads() const { return request_.threads > 0 ? request_.threads : available_cores(); }

    void resume_or_start() {
        std::string reason;
        work_.undo_partial_finish();
        if (const auto saved = work_.load()) {
            try {
                state_ = parse_state(*saved);
                reason = join(state_differences(state_, request_, splits_), "; ");
                if (reason.empty() && !state_.manifest.empty() && state_.manifest != manifest_in_work())
                    reason = "that store is in its place";
            } catch (const InterruptedError&) {
                throw;
            } catch (const std::exception& error) {
                if (stop_requested()) throw;
                reason = error.what();
            }
            if (!reason.empty())
                log::warn(work_.path().string() + " cannot be continued (" + reason + "): starting from the beginning");
        } else {
            reason = "nothing saved";
        }
        if (!reason.empty()) {
            work_.clear_contents();
            state_ = {};
            state_.settings = settings_json(request_);
        } else if (!state_.split.empty()) {
            log::info(fmt::format("continuing from {}: of {}, {} of {} files are done", work_.path().string(),
                                  state_.split, state_.cursor.file, state_.inputs[state_.split].size()));
        } else {
            log::info(fmt::format("continuing from {}: {} of {} splits are done", work_.path().string(),
                                  state_.done.size(), splits_.size()));
        }
        for (const auto& [name, files] : splits_) {
            auto& stamps = state_.inputs[name];
            stamps.clear();
            for (const auto& file : *files) stamps.push_back(stamp_of(file));
        }
    }

    [[nodiscard]] std::string manifest_in_work() const {
        const auto path = work_.store() / "manifest.json";
        return fs::exists(path) ? fingerprint_file(path) : "";
    }

    // Refuses early what cannot succeed. The estimate is low on purpose (6 bytes of text a token, and compressed text
    // by its compressed size). A shortage that is missed here ends in the same clear error when the disk is full.
    void check_free_space() const {
        std::uint64_t text = 0;
        for (const auto& [name, files] : splits_) text += bytes_on_disk(*files);
        const std::uint64_t least = text / 6 * 2;
        const std::uint64_t free = free_space(work_.path()) + bytes_in(work_.store());
        if (least > free) {
            throw Error(
                fmt::format("{}: the store needs at least {} and {} are free: choose another place or free some space",
                            request_.out.string(), human_bytes(static_cast<double>(least)),
                            human_bytes(static_cast<double>(free))));
        }
    }

    std::unique_ptr<Tokenizer> make_tokenizer() {
        std::unique_ptr<Tokenizer> tokenizer;
        const bool given = !request_.tokenizer.file.empty();
        if (given) {
            tokenizer = std::move(given_);
        } else if (!state_.tokenizer.empty()) {
            tokenizer = load_tokenizer(work_.store());
        }
        if (!state_.tokenizer.empty() && tokenizer->fingerprint() != state_.tokenizer) {
            log::warn(work_.path().string() + " was started with another vocabulary" +
                      (given ? " than " + request_.tokenizer.file : "") + ": starting from the beginning");
            work_.clear_contents();
            const auto inputs = std::move(state_.inputs);
            state_ = {};
            state_.settings = settings_json(request_);
            state_.inputs = inputs;
            if (!given) tokenizer.reset();
        }
        if (!tokenizer) {
            log::info("learning a " + request_.tokenizer.kind + " vocabulary from the train split");
            tokenizer = train_tokenizer(request_.tokenizer, request_.data.train, threads(), request_.data.jsonl_key);
        }
        if (request_.accept) request_.accept(*tokenizer);
        if (!state_.tokenizer.empty()) return tokenizer;
        save_tokenizer(*tokenizer, work_.store());
        state_.tokenizer = tokenizer->fingerprint();
        state_.learnt = !given;
        state_.id_bytes = id_bytes_for(tokenizer->vocab_size());
        if (!given) work_.save(state_json(state_));  // training takes long, copying does not
        failpoint("data.vocabulary");
        return tokenizer;
    }

    void save(SplitWriter& writer) {
        clock_.time([&] {
            state_.writer = writer.save();
            work_.save(state_json(state_));
        });
        failpoint("data.save");
    }

    void stop(SplitWriter& writer, std::size_t files) {
        save(writer);
        throw InterruptedError(
            fmt::format("stopped by {} in file {} of {} of the {} split; the same command continues from there",
                        stop_signal_name(), std::min(state_.cursor.file + 1, files), files, state_.split));
    }

    void write_split(const std::string& name, const std::vector<std::string>& files, const Tokenizer& tokenizer,
                     PrepareProgress& progress) {
        const auto shard_tokens = shard_tokens_for(request_.data.shard_tokens, state_.id_bytes);
        std::optional<SplitWriter> writer;
        if (state_.split == name) {
            writer.emplace(work_.store(), name, tokenizer, shard_tokens, state_.writer);
        } else {
            writer.emplace(work_.store(), name, tokenizer, shard_tokens);
            state_.split = name;
            state_.cursor = {};
            state_.sources.clear();
            state_.empty_documents = 0;
            state_.noted = {};
        }
        TextNotes notes(tokenizer, state_.noted);
        const auto on_chunk = [&](const EncodedChunk& chunk, const EncodeCursor& after) {
            writer->add(chunk);
            state_.cursor = after;
            state_.empty_documents += chunk.empty_documents;
            notes.add(chunk);
            state_.noted = notes.counts();
            progress.show(name, chunk.text.size());
            failpoint("data.chunk");
            if (stop_requested()) stop(*writer, files.size());
            if (clock_.due_within_file()) save(*writer);
        };
        const auto on_file = [&](std::size_t index, const Source& source) {
            if (stamp_of(files[index]) != state_.inputs[name][index])
                throw DataError(files[index] + " was changed while it was read");
            state_.sources.push_back(source);
            state_.cursor = {index + 1, 0, 0};
            if (clock_.due_at_file_end()) save(*writer);
        };
        encode_files({tokenizer, files, request_.data, threads(), state_.cursor}, {on_chunk, on_file},
                     &progress.position());
        if (state_.empty_documents > 0) {
            log::warn(fmt::format("{}: {} lines of JSON have an empty text and make no document", name,
                                  with_commas(state_.empty_documents)));
        }
        notes.warn(name);
        state_.done.push_back(writer->finish(std::move(state_.sources)));
        state_.split.clear();
        state_.cursor = {};
        state_.sources.clear();
        state_.writer = nullptr;
        work_.save(state_json(state_));
    }

    StoreManifest write_manifest(const Tokenizer& tokenizer) {
        StoreManifest store;
        store.tokenizer = {tokenizer.kind(), state_.tokenizer, tokenizer.vocab_size(), tokenizer.boundary(),
                           training_settings(request_.tokenizer)};
        store.documents = request_.data.documents;
        store.blank_lines = request_.data.documents == DocumentRule::blank_line ? request_.data.blank_lines : 0;
        for (const auto& [name, files] : splits_) {
            for (const auto& file : *files) {
                if (is_json_lines(file)) store.jsonl_key = request_.data.jsonl_key;
            }
        }
        store.id_bytes = state_.id_bytes;
        store.splits = state_.done;
        warn_of_shared_text(store.splits);
        failpoint("data.before_manifest");
        const std::string text = manifest_text(store);
        write_file_atomic(work_.store() / "manifest.json", text);
        state_.manifest = fingerprint(text);
        work_.save(state_json(state_));
        return store;
    }

    const PrepareRequest& request_;
    const SplitFiles& splits_;
    std::unique_ptr<Tokenizer> given_;
    WorkFolder work_;
    PrepareState state_;
    SaveClock clock_;
};

// Returns null when the vocabulary is to be trained.
std::unique_ptr<Tokenizer> opened_tokenizer(const PrepareRequest& request) {
    if (!request.tokenizer.file.empty()) return open_tokenizer(request.tokenizer);
    if (request.data.train.empty()) {
        throw UsageError("training a " + request.tokenizer.kind +
                         " vocabulary needs train files; or name an existing one (tokenizer.file)");
    }
    return nullptr;
}

}  // namespace

PrepareResult prepare_store(const PrepareRequest& original) {
    PrepareRequest request = original;
    request.data = expand_inputs(original.data);
    const auto splits = requested_splits(request.data);
    if (splits.empty()) throw UsageError("no text to prepare: name files for train, valid or test");
    if (request.out.empty()) throw UsageError("no place for the store: give --out, or data.store");
    request.out = follow_links(request.out);  // a link is kept, and its target becomes the store
    check_inputs(splits);
    try {
        PrepareResult result;
        if (reuse(request, result)) return result;
        check_output_folder(WorkFolder::path_for(request.out));
        refuse_mount_point(request.out);
        return Preparation(request, splits, opened_tokenizer(request)).run();
    } catch (const InterruptedError&) {
        throw;
    } catch (const Error& error) {
        if (!stop_requested()) throw;
        throw InterruptedError(std::string(error.what()) + "; the same command begins again");
    }
}

void check_text_files(const DataConfig& data) { check_inputs(requested_splits(expand_inputs(data))); }

}  // namespace longbow
