#include "decoder.h"

#include <algorithm>

#include "bpe_model.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "metaspace.h"
#include "pattern.h"

namespace longbow::hf {

namespace {

constexpr std::size_t kMostParts = 16;
constexpr int kDeepest = 8;

std::string joined(const std::vector<std::string>& tokens) { return join(tokens, ""); }

class ByteLevelDecoder : public DecoderPart {
public:
    void apply(std::vector<std::string>& tokens) const override {
        std::string text;
        for (const auto& token : tokens) text += name_to_bytes(token).value_or(token);
        tokens = {std::move(text)};
    }
};

class FuseDecoder : public DecoderPart {
public:
    void apply(std::vector<std::string>& tokens) const override { tokens = {joined(tokens)}; }
};

// <0x41> is a byte. Runs of them that are no UTF-8 become U+FFFD, one each.
class ByteFallbackDecoder : public DecoderPart {
public:
    void apply(std::vector<std::string>& tokens) const override {
        std::vector<std::string> out;
        std::string bytes;
        const auto flush = [&] {
            if (bytes.empty()) return;
            if (find_invalid_utf8(bytes) == std::string::npos)
                out.push_back(bytes);
            else
                for (std::size_t i = 0; i < bytes.size(); ++i) out.emplace_back("\uFFFD");
            bytes.clear();
        };
        for (auto& token : tokens) {
            const int byte = byte_of(token);
            if (byte >= 0) {
                bytes += static_cast<char>(byte);
                continue;
            }
            flush();
            out.push_back(std::move(token));
        }
        flush();
        tokens = std::move(out);
    }

private:
    static int byte_of(const std::string& token) {
        if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
        int value = 0;
        for (const char c : {token[3], token[4]}) {
            const auto digit = std::string_view("0123456789abcdef").find(static_cast<char>(c | 0x20));
            if (digit == std::string_view::npos || c < '0') return -1;
            value = value * 16 + static_cast<int>(digit);
        }
        return value;
    }
};

class ReplaceDecoder : public DecoderPart {
public:
    ReplaceDecoder(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
    void apply(std::vector<std::string>& tokens) const override {
        std::string out;
        for (auto& token : tokens) {
            if (pattern_.replace(token, content_, out)) token = out;
        }
    }

private:
    Pattern pattern_;
    std::string content_;
};

// Removes up to so many of a character at the ends of each token.
class StripDecoder : public DecoderPart {
public:
    StripDecoder(char32_t content, std::int64_t start, std::int64_t stop) : start_(start), stop_(stop) {
        append_utf8(content_, content);
    }
    void apply(std::vector<std::string>& tokens) const override {
        for (auto& token : tokens) {
            std::string_view rest = token;
            for (auto i = start_; i > 0 && rest.starts_with(content_); --i) rest.remove_prefix(content_.size());
            for (auto i = stop_; i > 0 && rest.ends_with(content_); --i) rest.remove_suffix(content_.size());
            token = std::string(rest);
        }
    }

private:
    std::string content_;
    std::int64_t start_, stop_;
};

class MetaspaceDecoder : public DecoderPart {
public:
    explicit MetaspaceDecoder(const Metaspace& rule)
        : replacement_(rule.replacement), drops_first_(rule.prepend != Prepend::never) {}
    void apply(std::vector<std::string>& tokens) const override {
        std::string out;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (replacement_.replace(tokens[i], i == 0 && drops_first_ ? "" : " ", out)) tokens[i] = out;
        }
    }

private:
    Pattern replacement_;
    bool drops_first_;
};

}  // namespace

Decoder::Decoder(std::optional<Component> component) : none_(!component) {
    if (component) add(*component, 0);
}

void Decoder::add(Component part, int depth) {
    const auto& type = part.type();
    if (type == "Sequence") {
        if (depth == kDeepest) part.refuse("sequences are nested too deep");
        for (const auto& each : part.objects("decoders")) add(each, depth + 1);
        part.check_all_read();
        return;
    }
    if (parts_.size() == kMostParts) part.refuse("more than 16 parts");
    if (type == "ByteLevel") {
        for (const auto* key : {"add_prefix_space", "trim_offsets", "use_regex"}) part.ignore(key);
        parts_.push_back(std::make_unique<ByteLevelDecoder>());
    } else if (type == "Metaspace") {
        parts_.push_back(std::make_unique<MetaspaceDecoder>(read_metaspace(part)));
    } else if (type == "ByteFallback") {
        parts_.push_back(std::make_unique<ByteFallbackDecoder>());
    } else if (type == "Fuse") {
        parts_.push_back(std::make_unique<FuseDecoder>());
    } else if (type == "Strip") {
        const auto content = part.character("content");
        const auto start = part.number("start", 1'000'000);
        parts_.push_back(std::make_unique<StripDecoder>(content, start, part.number("stop", 1'000'000)));
    } else if (type == "Replace") {
        Pattern pattern(part);
        parts_.push_back(std::make_unique<ReplaceDecoder>(std::move(pattern), part.text("content")));
    } else {
        part.refuse_type({"ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Sequence", "Strip"});
    }
    part.check_all_read();
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
    if (none_) return join(tokens, " ");
    for (const auto& part : parts_) part->apply(tokens);
    return joined(tokens);
}

}  // namespace longbow::hf
