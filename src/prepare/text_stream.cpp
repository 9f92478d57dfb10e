// Uses the same pipeline as prepare, so that the ids are those that a store would have.
#include "longbow/prepare/text_stream.h"

#include "encode_pipeline.h"
#include "inputs.h"
#include "longbow/core/error.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/data/memory_stream.h"
#include "raw_offsets.h"
#include "text_notes.h"

namespace longbow {

std::unique_ptr<TokenStream> stream_of_text(const Tokenizer& tokenizer, const std::vector<std::string>& named,
                                            const DataConfig& data, int threads) {
    const auto files = without_duplicates("the text", named);
    TextNotes notes(tokenizer);
    std::vector<TokenId> ids;
    std::vector<std::int64_t> ends;
    std::vector<KnownOffset> known;
    RawOffsets offsets(tokenizer);
    const auto add_known = [&](std::int64_t token, const RawCount& counts) {
        if (known.empty() || known.back().token < token) known.push_back({token, counts});
    };
    std::int64_t mark = 0;
    const auto on_mark = [&](const RawCount& counts) { add_known(mark++ * kMarkTokens, counts); };
    const auto on_document = [&](std::int64_t end, const RawCount& counts) {
        if (!ends.empty() && ends.back() == end) return;
        ends.push_back(end);
        add_known(end, counts);
    };
    const auto consume = [&](const EncodedChunk& chunk, const EncodeCursor&) {
        throw_if_stop_requested("nothing was written");
        offsets.add(chunk, on_mark, on_document);
        notes.add(chunk);
        ids.insert(ids.end(), chunk.ids.begin(), chunk.ids.end());
    };
    encode_files({tokenizer, files, data, threads}, {consume});
    notes.warn(join(files, ", "));
    if (ids.empty()) throw DataError("no tokens: no text in " + join(files, ", "));
    const auto size = static_cast<std::int64_t>(ids.size());
    if (ends.empty() || ends.back() != size) ends.push_back(size);
    if (known.back().token == size) known.pop_back();
    known.push_back({size, offsets.total()});
    return memory_stream(std::move(ids), tokenizer.boundary(), std::move(ends), std::move(known));
}

}  // namespace longbow
