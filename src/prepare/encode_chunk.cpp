#include "encode_chunk.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/text/json_lines.h"

namespace longbow {

namespace {

void take_texts(const std::string& jsonl_key, EncodedChunk& chunk) {
    chunk.apart = true;
    for_each_json_text(chunk.lines, chunk.first_line, *chunk.file, jsonl_key, [&](std::string_view text) {
        if (text.empty()) {
            ++chunk.empty_documents;
            return;
        }
        const auto begin = chunk.text.size();
        chunk.text += text;
        chunk.pieces.push_back({begin, chunk.text.size(), true});
    });
    chunk.lines = {};  // the text takes its place; a chunk kept for later would hold both
    chunk.lines.shrink_to_fit();
}

}  // namespace

void EncodedChunk::clear() {
    text.clear();
    pieces.clear();
    after_space = true;
    apart = false;
    ids.clear();
    piece_ends.clear();
    empty_documents = 0;
    lines.clear();
    first_line = 0;
    file = nullptr;
}

void encode_chunk(const Tokenizer& tokenizer, const std::string& jsonl_key, EncodedChunk& chunk) {
    if (chunk.file != nullptr) take_texts(jsonl_key, chunk);
    chunk.ids.reserve(chunk.text.size() / 3);
    for (const auto& piece : chunk.pieces) {
        if (piece.end > piece.begin) tokenizer.encode(std::string_view(chunk.text).substr(piece.begin, piece.end - piece.begin), chunk.ids);
        if (piece.ends_document && !tokenizer.boundary_per_line()) chunk.ids.push_back(tokenizer.boundary());
        chunk.piece_ends.push_back(chunk.ids.size());
    }
    const auto largest = std::max_element(chunk.ids.begin(), chunk.ids.end());
    if (largest != chunk.ids.end() && static_cast<std::int64_t>(*largest) >= tokenizer.vocab_size()) {
        throw DataError(strprintf("the %s tokenizer gave id %u, outside its vocabulary of %lld: its files do not fit together",
                                  tokenizer.kind().c_str(), *largest, static_cast<long long>(tokenizer.vocab_size())));
    }
}

}  // namespace longbow
