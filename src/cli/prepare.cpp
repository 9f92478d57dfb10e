// longbow prepare: makes a token store from text files. Settings come from a config, from flags, or from both (flags
// win). Flags become overrides of the config, so that a single place checks both.
#include "longbow/prepare/prepare.h"

#include <fmt/core.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "flag_values.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct PrepareFlags {
    ConfigArguments config;
    std::string tokenizer;  // KIND[:FILE]
    std::int64_t vocab_size = -1;
    std::string documents;  // RULE[:N]
    std::vector<std::string> train, valid, test;
    std::string out;
    bool overwrite = false;
};

// Returns the folder or file of a vocabulary that a flag names. A run, a checkpoint and a GGUF file have a tokenizer in
// them; a public model's folder has it beside its weights, which are then not needed.
std::string vocabulary_of(const std::string& named) {
    const auto at = named.rfind('@');
    const bool whole = fs::exists(named);
    const fs::path place = whole || at == std::string::npos ? named : named.substr(0, at);
    const auto model = public_model(named);
    const bool in_checkpoint = model ? model->is_file() : fs::is_directory(place / "checkpoints");
    return in_checkpoint ? resolve_checkpoint(named).string() : named;
}

std::vector<std::string> flag_overrides(const PrepareFlags& flags) {
    std::vector<std::string> overrides;
    const auto list = [&](const char* key, const std::vector<std::string>& files) {
        if (files.empty()) return;
        Json names = Json::array();
        for (const auto& file : files) names.push_back(escape_name(file));
        overrides.push_back(std::string(key) + "=" + names.dump());
    };
    list("data.train", flags.train);
    list("data.valid", flags.valid);
    list("data.test", flags.test);
    if (!flags.tokenizer.empty()) {
        const auto colon = flags.tokenizer.find(':');
        overrides.push_back("tokenizer.kind=" + flags.tokenizer.substr(0, colon));
        if (colon != std::string::npos)
            overrides.push_back("tokenizer.file=" + escape_name(vocabulary_of(flags.tokenizer.substr(colon + 1))));
    }
    if (flags.vocab_size >= 0) overrides.push_back("tokenizer.vocab_size=" + std::to_string(flags.vocab_size));
    if (!flags.documents.empty()) {
        const auto colon = flags.documents.find(':');
        overrides.push_back("data.documents=" + flags.documents.substr(0, colon));
        if (colon != std::string::npos) overrides.push_back("data.blank_lines=" + flags.documents.substr(colon + 1));
    }
    return overrides;
}

// CLI11 gives a list of files every word that follows it, including overrides such as `tokenizer.lowercase=true`. A
// word that looks like an override and is no file is moved to the overrides.
void move_misread_overrides(std::vector<std::string>& files, std::vector<std::string>& overrides) {
    const auto first = std::stable_partition(files.begin(), files.end(), [](const std::string& word) {
        const auto equals = word.find('=');
        const auto key = word.substr(0, equals);
        const bool looks_so =
            equals != std::string::npos && key.find('.') != std::string::npos && key.find('/') == std::string::npos;
        return !looks_so || std::filesystem::exists(word);
    });
    overrides.insert(overrides.end(), std::make_move_iterator(first), std::make_move_iterator(files.end()));
    files.erase(first, files.end());
}

PrepareRequest request_of(const PrepareFlags& flags, int threads) {
    LoadRequest load;
    load.files = flags.config.files;
    load.overrides = flag_overrides(flags);
    load.overrides.insert(load.overrides.end(), flags.config.overrides.begin(), flags.config.overrides.end());
    // A store may consist of held-out text alone, with a vocabulary from a file. A config cannot express that, since
    // its keys about text need data.train; so the first held-out file stands in for data.train while the settings are
    // checked.
    const bool held_out_only =
        flags.config.files.empty() && flags.train.empty() && !(flags.valid.empty() && flags.test.empty());
    if (held_out_only)
        load.overrides.push_back(
            "data.train=" +
            Json::array({escape_name(flags.valid.empty() ? flags.test.front() : flags.valid.front())}).dump());
    const Config config = load_config(load, registered_config_context());
    PrepareRequest request;
    request.tokenizer = config.tokenizer;
    request.data = config.data;
    if (held_out_only) request.data.train.clear();
    request.out = flags.out.empty() ? config.data.store : flags.out;
    request.threads = threads;
    request.overwrite = flags.overwrite;
    return request;
}

void print_result(const PrepareRequest& request, const PrepareResult& result) {
    for (const auto& split : result.splits) {
        std::cout << fmt::format("{:<6} {:>14} tokens {:>10} documents {:>16} bytes  {:.3f} bytes/token\n", split.name,
                                 with_commas(split.tokens), with_commas(split.documents),
                                 with_commas(static_cast<std::int64_t>(split.raw_bytes)),
                                 static_cast<double>(split.raw_bytes) / static_cast<double>(split.tokens));
    }
    if (result.reused) {
        std::cout << fmt::format("{}: kept, already prepared from the same text and settings\n", request.out.string());
    } else {
        std::cout << fmt::format(
            "{}: written in {:.1f} s, {:.1f} MB/s (vocabulary: {:.1f} s)\n", request.out.string(), result.seconds,
            static_cast<double>(result.encoded_bytes) / 1e6 / std::max(result.seconds, 1e-9), result.tokenizer_seconds);
    }
}

void add_prepare(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<PrepareFlags>();
    auto* verb = add_verb(
        app, context, "prepare",
        "Make a token store from text (plain or JSON lines; .gz, .xz, .zst); after an interruption, the same command continues",
        "longbow prepare --tokenizer bpe --vocab-size 2048 --train train.txt --valid valid.txt --out store\n"
        "  longbow prepare --tokenizer bpe:gpt2 --train 'shards/*.jsonl.zst' --valid held-out.txt --out store data.jsonl_key=content\n"
        "  longbow prepare --tokenizer hf:runs/bloom --train mine.txt --out store    # an imported model's, to train on from it\n"
        "  longbow prepare -c configs/demo/alibi.yaml --out store");
    add_config_arguments(verb, flags->config, false);
    std::vector<std::string> kinds;
    for (const auto& kind : registered_config_context().tokenizers) kinds.push_back(kind.name);
    verb->add_option(
            "--tokenizer", flags->tokenizer,
            join(kinds, " | ") +
                ", and the vocabulary to use as it is, or a run or a public model that has one; without it a vocabulary is learned from the train files")
        ->type_name("KIND[:FILE]");
    verb->add_option("--vocab-size", flags->vocab_size, "Size of the vocabulary that is learned")
        ->type_name("N")
        ->check(whole_number(0));
    const auto files = [&](const char* name, std::vector<std::string>& target, const char* help) {
        verb->add_option(name, target, help)->type_name("FILE..");
    };
    files("--train", flags->train,
          "Text to train on: files, folders, patterns; .jsonl, .ndjson and .json hold a document a line");
    files("--valid", flags->valid, "Text to validate on");
    files("--test", flags->test, "Text kept for the test split");
    verb->add_option("--documents", flags->documents,
                     "Where a document of plain text ends: file | line | blank_line[:N] (N empty lines)")
        ->type_name("RULE");
    verb->add_option("--out", flags->out, "Folder of the store; default: data.store of the config")
        ->check(output_folder())
        ->type_name("STORE");
    verb->add_flag("--overwrite", flags->overwrite, "Replace a store that was made from other text or settings");
    run_with(verb, context, [flags](const CommonOptions& common) {
        install_stop_handlers();
        // Buffers that one thread fills and another frees would leave holes in both threads' heaps, more of them the
        // longer the command runs. A lower threshold gives each buffer its own pages, which return to the system when
        // it is freed. This is done only here, since training frees large tensors too often for it.
        ::mallopt(M_MMAP_THRESHOLD, 128 << 10);
        for (auto* list : {&flags->train, &flags->valid, &flags->test})
            move_misread_overrides(*list, flags->config.overrides);
        const auto request = request_of(*flags, common.threads);
        print_result(request, prepare_store(request));
        return 0;
    });
}

LONGBOW_REGISTER_VERB(10, add_prepare);

}  // namespace

}  // namespace longbow
