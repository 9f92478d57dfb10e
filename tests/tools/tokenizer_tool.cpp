// Prints the ids of texts, for tests that compare them with other programs'.
//
//   tokenizer_tool open KIND FILE [lowercase] [OPTION=TEXT..]
//   tokenizer_tool cut KIND FILE BYTES [OPTION=TEXT..]
//   tokenizer_tool decode KIND FILE [OPTION=TEXT..]
//   tokenizer_tool load FOLDER
//   tokenizer_tool train KIND VOCAB_SIZE OUT THREADS TEXT... [model=unigram|bpe]
//   tokenizer_tool time FOLDER TEXT, or time KIND FILE TEXT
//
// `open`, `cut` and `load` then read documents from standard input, each as its length in bytes (decimal, newline) and
// its bytes, and print the ids of each on a line. `cut` encodes each document in parts, as prepare does that sees so
// many bytes at a time. `decode` reads lines of ids, and prints documents as the others read them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"
#include "longbow/text/tokenizer.h"

namespace {

// Encodes a text of which `window` bytes more are seen at a time.
void encode_in_parts(const longbow::Tokenizer& tokenizer, std::string_view text, std::size_t window,
                     std::vector<longbow::TokenId>& ids) {
    for (std::size_t begin = 0, seen = window; begin < text.size(); seen += window) {
        auto part = text.substr(begin, seen - begin);
        if (seen < text.size()) {
            part.remove_suffix(longbow::incomplete_utf8_tail(part));
            part = part.substr(0, tokenizer.safe_split(part));
        }
        if (!part.empty()) tokenizer.encode(part, ids);
        begin += part.size();
    }
}

// In parts where `window` is not 0.
void encode_documents(const longbow::Tokenizer& tokenizer, std::size_t window = 0) {
    std::string header;
    while (std::getline(std::cin, header)) {
        std::string text(std::stoul(header), '\0');
        std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
        std::vector<longbow::TokenId> ids;
        if (window > 0)
            encode_in_parts(tokenizer, text, window, ids);
        else
            tokenizer.encode(text, ids);
        std::string line;
        for (const auto id : ids) line += std::to_string(id) + ' ';
        std::cout << line << '\n';
    }
}

void decode_documents(const longbow::Tokenizer& tokenizer) {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        const std::vector<longbow::TokenId> ids{std::istream_iterator<longbow::TokenId>(words), {}};
        const auto text = tokenizer.decode(ids);
        std::cout << text.size() << '\n' << text;
    }
}

// Reads KIND FILE from args[1] on, and options from args[options] on.
longbow::TokenizerConfig configuration(const std::vector<std::string>& args, std::size_t options) {
    longbow::TokenizerConfig config;
    config.kind = args[1];
    config.file = args[2];
    for (auto i = options; i < args.size(); ++i) {
        const auto equals = args[i].find('=');
        if (equals == std::string::npos)
            config.options[args[i]] = true;
        else
            config.options[args[i].substr(0, equals)] = args[i].substr(equals + 1);
    }
    return config;
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
            encode_documents(*longbow::open_tokenizer(configuration(args, 3)));
            return 0;
        }
        if (args.size() >= 4 && args[0] == "cut") {
            encode_documents(*longbow::open_tokenizer(configuration(args, 4)), std::stoul(args[3]));
            return 0;
        }
        if (args.size() >= 3 && args[0] == "decode") {
            decode_documents(*longbow::open_tokenizer(configuration(args, 3)));
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
        if (args.size() == 4 && args[0] == "time") {
            time_encoding(*longbow::open_tokenizer(configuration(args, 4)), args[3].c_str());
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
    std::cerr << "usage: tokenizer_tool open|cut|decode|load|time|train ...\n";
    return 2;
}
