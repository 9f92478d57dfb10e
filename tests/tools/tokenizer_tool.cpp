// Prints the ids of texts, for tests that compare them with other programs'.
//
//   tokenizer_tool open KIND FILE [lowercase]
//   tokenizer_tool load FOLDER
//   tokenizer_tool train KIND VOCAB_SIZE OUT THREADS TEXT... [model=unigram|bpe]
//
// `open` and `load` then read documents from standard input, each as its length in bytes (decimal, newline) and its
// bytes, and print the ids of each on a line.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/text/tokenizer.h"

namespace {

void encode_documents(const longbow::Tokenizer& tokenizer) {
    std::string header;
    while (std::getline(std::cin, header)) {
        std::string text(std::stoul(header), '\0');
        std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
        std::vector<longbow::TokenId> ids;
        tokenizer.encode(text, ids);
        std::string line;
        for (const auto id : ids) line += std::to_string(id) + ' ';
        std::cout << line << '\n';
    }
}

// Prints the least time of five passes over a file, in seconds, for scripts/bench_tokenizer.py.
void time_encoding(const longbow::Tokenizer& tokenizer, const char* path) {
    std::string text;
    if (auto* file = std::fopen(path, "rb")) {
        char buffer[1 << 16];
        while (const auto count = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, count);
        std::fclose(file);
    }
    double best = 1e30;
    std::vector<longbow::TokenId> ids;
    for (int i = 0; i < 5; ++i) {
        ids.clear();
        const auto start = std::chrono::steady_clock::now();
        tokenizer.encode(text, ids);
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::printf("%zu %.9f\n", ids.size(), best);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> args(argv + 1, argv + argc);
    try {
        longbow::TokenizerConfig config;
        if (args.size() >= 3 && args[0] == "open") {
            config.kind = args[1];
            config.file = args[2];
            if (args.size() > 3 && args[3] == "lowercase") config.options["lowercase"] = true;
            encode_documents(*longbow::open_tokenizer(config));
            return 0;
        }
        if (args.size() == 2 && args[0] == "load") {
            encode_documents(*longbow::load_tokenizer(args[1]));
            return 0;
        }
        if (args.size() == 3 && args[0] == "time") {
            time_encoding(*longbow::load_tokenizer(args[1]), args[2].c_str());
            return 0;
        }
        if (args.size() >= 6 && args[0] == "train") {
            config.kind = args[1];
            config.vocab_size = std::stoll(args[2]);
            std::vector<std::string> files;
            for (std::size_t i = 5; i < args.size(); ++i) {
                if (args[i].starts_with("model="))
                    config.options["sentencepiece_model"] = args[i].substr(6);
                else
                    files.push_back(args[i]);
            }
            longbow::save_tokenizer(*longbow::train_tokenizer(config, files, std::stoi(args[4])), args[3]);
            return 0;
        }
    } catch (const longbow::Error& error) {
        std::cerr << error.what() << '\n';
        return static_cast<int>(error.code());
    }
    std::cerr << "usage: tokenizer_tool open|load|time|train ...\n";
    return 2;
}
