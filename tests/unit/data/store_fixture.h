// Gives a test a folder of its own for text files and for stores of fake tokenizers.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "fake_tokenizers.h"
#include "longbow/core/files.h"
#include "longbow/core/random.h"
#include "longbow/data/manifest.h"
#include "prepare/encode_pipeline.h"
#include "prepare/split_writer.h"

namespace longbow::test {

class StoreTest : public testing::Test {
protected:
    StoreTest() : folder_(fs::temp_directory_path() / ("longbow-data-" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    ~StoreTest() override { fs::remove_all(folder_); }

    std::string write_text(const std::string& name, const std::string& text) {
        write_file_atomic(folder_ / name, text);
        return (folder_ / name).string();
    }

    // Returns words of 1 to 9 letters, lines, empty lines, and some characters of several bytes.
    static std::string random_text(std::size_t words, std::uint64_t seed) {
        Random random(seed);
        std::string text;
        for (std::size_t i = 0; i < words; ++i) {
            for (auto n = random.below(9) + 1; n > 0; --n) text += static_cast<char>('a' + random.below(26));
            if (random.below(20) == 0) text += "\xC3\xA9\xE2\x82\xAC";
            const auto gap = random.below(30);
            text += gap == 0 ? "\n" : gap == 1 ? "\n\n\n" : " ";
        }
        return text;
    }

    // Encodes the files into `store` and returns its manifest. The tokenizer's files are not written.
    static StoreManifest write_store(const fs::path& store, const Tokenizer& tokenizer,
                                     const std::vector<std::string>& files, const DataConfig& documents, int threads,
                                     std::uint64_t shard_bytes) {
        fs::create_directories(store);
        SplitWriter writer(store, "train", tokenizer,
                           shard_bytes / static_cast<std::uint64_t>(id_bytes_for(tokenizer.vocab_size())));
        std::vector<Source> sources;
        encode_files({tokenizer, files, documents, threads},
                     {[&](const EncodedChunk& chunk, const EncodeCursor&) { writer.add(chunk); },
                      [&](std::size_t, const Source& source) { sources.push_back(source); }});
        return write_manifest(store, tokenizer, documents, writer.finish(std::move(sources)));
    }

    static StoreManifest write_manifest(const fs::path& store, const Tokenizer& tokenizer, const DataConfig& documents,
                                        SplitManifest split) {
        StoreManifest manifest;
        manifest.tokenizer = {tokenizer.kind(), "fake", tokenizer.vocab_size(), tokenizer.boundary(), nullptr};
        manifest.documents = documents.documents;
        manifest.blank_lines = documents.documents == DocumentRule::blank_line ? documents.blank_lines : 0;
        manifest.id_bytes = id_bytes_for(tokenizer.vocab_size());
        manifest.splits.push_back(std::move(split));
        write_file_atomic(store / "manifest.json", manifest_text(manifest));
        return manifest;
    }

    fs::path folder_;
};

}  // namespace longbow::test
