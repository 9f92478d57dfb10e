// longbow inspect data: prints what a store holds, a span of it as text, the inputs of a training update, and whether
// its checksums fit.
#include <fmt/core.h>

#include <charconv>
#include <filesystem>
#include <iostream>
#include <memory>

#include "inspect.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/data/batches.h"
#include "longbow/data/mixture.h"
#include "longbow/data/token_store.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct InspectDataFlags {
    std::string store, split, tokens;
    std::int64_t update = 0;
    ConfigArguments config;
    bool verify = false, json = false;
};

struct Span {
    std::int64_t begin, end;
};

constexpr std::size_t kShownSources = 20;

// A span of tokens may begin or end inside a character. JSON replaces the broken bytes, plain output shows them as
// escapes.
std::string dump(const Json& json, int indent = -1) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::int64_t whole_number(std::string_view text, const std::string& where) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0)
        throw UsageError(where + ": expected BEGIN:END in tokens, e.g. 0:100");
    return value;
}

// Parses "100:200", ":50" or "50:"; an end that is left out is the stream's.
Span parse_span(const std::string& text, std::int64_t size) {
    const std::string where = "--tokens " + text;
    const auto colon = text.find(':');
    if (colon == std::string::npos) throw UsageError(where + ": expected BEGIN:END in tokens, e.g. 0:100");
    const std::string begin = text.substr(0, colon);
    const std::string end = text.substr(colon + 1);
    const Span span{begin.empty() ? 0 : whole_number(begin, where), end.empty() ? size : whole_number(end, where)};
    if (span.begin >= span.end || span.end > size) {
        throw UsageError(where + ": the split has " + with_commas(size) +
                         " tokens, so that BEGIN < END <= " + std::to_string(size));
    }
    return span;
}

std::vector<TokenId> ids_of(const TokenStream& stream, Span span) {
    std::vector<std::int64_t> wide(static_cast<std::size_t>(span.end - span.begin));
    stream.read(span.begin, span.end - span.begin, wide.data());
    return {wide.begin(), wide.end()};
}

std::string default_split(const TokenStore& store) {
    return store.has_split("train") ? "train" : store.splits().front();
}

Json span_json(const TokenStream& stream, const Tokenizer& tokenizer, Span span) {
    const auto ids = ids_of(stream, span);
    Json json = {{"begin", span.begin},
                 {"end", span.end},
                 {"ids", ids},
                 {"tokens", Json::array()},
                 {"text", tokenizer.decode(ids)}};
    for (const auto id : ids) json["tokens"].push_back(tokenizer.token_text(id));
    return json;
}

Json update_json(const TrainingSource& source, const Tokenizer& tokenizer, const TrainConfig& train,
                 std::int64_t update) {
    const auto& stream = source.stream();
    const bool mixed = stream.parts().size() > 1;
    const auto order = training_order(stream, train);
    const auto position = position_of_update(train, update);
    Json json = {{"update", update},
                 {"seed", train.seed},
                 {"length", train.length},
                 {"batch", train.batch},
                 {"accumulate", train.accumulate},
                 {"samples", Json::array()}};
    for (std::int64_t micro = 0; micro < train.accumulate; ++micro) {
        for (const auto& block : order->micro_batch(position, micro)) {
            const Span span{block.begin, block.begin + block.length};
            json["samples"].push_back({{"sample", block.sample},
                                       {"micro_batch", micro},
                                       {"epoch", block.epoch},
                                       {"begin", span.begin},
                                       {"end", span.end},
                                       {"text", tokenizer.decode(ids_of(stream, span))}});
            if (mixed) json["samples"].back()["store"] = escape_name(source.store_at(span.begin).path().string());
        }
    }
    return json;
}

void print_summary(const TokenStore& store) {
    const Json& manifest = store.manifest();
    const Json& tokenizer = manifest["tokenizer"];
    std::cout << store.path().string() << ": " << tokenizer["kind"].get<std::string>() << " tokenizer, "
              << with_commas(store.vocab_size()) << " tokens, boundary id " << tokenizer["boundary"] << ", "
              << 8 * manifest["id_bytes"].get<int>() << "-bit ids, documents by "
              << manifest["documents"].get<std::string>() << "\ntokenizer " << store.tokenizer_fingerprint() << '\n';
    for (const auto& name : store.splits()) {
        const Json& split = manifest["splits"][name];
        const auto tokens = split["tokens"].get<std::int64_t>();
        const auto bytes = split["raw_bytes"].get<std::int64_t>();
        std::cout << fmt::format(
            "{:<6} {:>14} tokens {:>10} documents {:>16} bytes {:>14} words  {:.3f} bytes/token  {}\n", name,
            with_commas(tokens), with_commas(split["documents"].get<std::int64_t>()), with_commas(bytes),
            with_commas(split["words"].get<std::int64_t>()), static_cast<double>(bytes) / static_cast<double>(tokens),
            split["fingerprint"].get<std::string>());
        if (split["shards"].size() > 1) std::cout << fmt::format("       in {} files\n", split["shards"].size());
        std::size_t shown = 0;
        for (const auto& source : split["sources"]) {
            if (shown++ == kShownSources) {
                std::cout << fmt::format("       and from {} more files (--json lists all)\n",
                                         split["sources"].size() - kShownSources);
                break;
            }
            std::cout << fmt::format("       from {} ({} bytes of text, {})\n", source["name"].get<std::string>(),
                                     with_commas(source["text_bytes"].get<std::int64_t>()),
                                     source["fingerprint"].get<std::string>());
        }
    }
}

void print_update(const Json& update) {
    std::cout << fmt::format("update {} (seed {}): {} sequences of {} tokens\n", update["update"].get<long long>(),
                             update["seed"].get<unsigned long long>(), update["samples"].size(),
                             update["length"].get<long long>());
    for (const auto& sample : update["samples"]) {
        std::cout << fmt::format(
                         "sample {} (epoch {}, micro-batch {}), targets [{}, {}): ", sample["sample"].get<long long>(),
                         sample["epoch"].get<long long>(), sample["micro_batch"].get<long long>(),
                         sample["begin"].get<long long>(), sample["end"].get<long long>())
                  << (sample.contains("store") ? "(" + sample["store"].get<std::string>() + ") " : "")
                  << dump(sample["text"]) << '\n';
    }
}

// Returns the training data of an update: STORE's train split, or the mixture whose first store is STORE.
TrainingSource source_of(const DataConfig& data, const TokenStore& store) {
    const auto first = store_path(data, store.path());
    if (!data.mixture.empty() && !std::filesystem::equivalent(first, store.path())) {
        throw UsageError(store.path().string() + " is not the first store of data.mixture: name " + first.string());
    }
    return {data, store};
}

int inspect_data(const InspectDataFlags& flags) {
    const TokenStore store(flags.store);
    const std::string split = flags.split.empty() ? default_split(store) : flags.split;
    const auto& stream = store.split(split);
    Json json = {{"path", escape_name(flags.store)}, {"manifest", store.manifest()}};
    if (flags.verify) {
        store.verify();
        json["verified"] = true;
    }
    std::unique_ptr<Tokenizer> tokenizer;
    if (!flags.tokens.empty() || flags.update > 0) tokenizer = store.tokenizer();
    if (!flags.tokens.empty()) {
        json["span"] = span_json(stream, *tokenizer, parse_span(flags.tokens, stream.size()));
        json["span"]["split"] = split;
    }
    if (flags.update > 0) {
        const Config config = load_config({flags.config.files, flags.config.overrides}, registered_config_context());
        json["update"] = update_json(source_of(config.data, store), *tokenizer, config.train, flags.update);
    }
    if (flags.json) {
        std::cout << dump(json, 2) << '\n';
        return 0;
    }
    if (flags.tokens.empty() && flags.update == 0) print_summary(store);
    if (flags.verify) std::cout << store.path().string() << ": every checksum fits\n";
    if (!flags.tokens.empty()) std::cout << json["span"]["text"].get<std::string>() << '\n';
    if (flags.update > 0) print_update(json["update"]);
    return 0;
}

void add_inspect_data(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<InspectDataFlags>();
    auto* verb = add_verb(inspect_group(app), context, "data",
                          "Show what a token store contains: any span as text, what an update will see, checksums",
                          "longbow inspect data store --split valid --tokens 0:100\n"
                          "  longbow inspect data store --update 600 -c configs/demo/alibi.yaml\n"
                          "  longbow inspect data store --verify");
    verb->add_option("STORE", flags->store, "Folder of the store")->required();
    verb->add_option("--split", flags->split, "Split to look at; default: train, or the first")->type_name("NAME");
    verb->add_option(
            "--tokens", flags->tokens,
            "Decode tokens BEGIN up to END (exclusive); without BEGIN or END, from the start or to the end of the split")
        ->type_name("BEGIN:END");
    auto* update =
        verb->add_option("--update", flags->update, "Which sequences update N of a training run sees (1 is the first)")
            ->type_name("N")
            ->check(longbow::whole_number(1, std::uint64_t{1} << 40));
    add_config_arguments(verb, flags->config, false);
    verb->get_option("--config")->needs(update);
    verb->add_flag("--verify", flags->verify, "Compare every file with its checksum");
    verb->add_flag("--json", flags->json, "Print JSON");
    run_with(verb, context, [flags](const CommonOptions&) {
        if (flags->update == 0 && !flags->config.overrides.empty())
            throw UsageError("longbow inspect data: overrides need --update");
        return inspect_data(*flags);
    });
}

LONGBOW_REGISTER_VERB(70, add_inspect_data);

}  // namespace

}  // namespace longbow
