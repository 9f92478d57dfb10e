#include "pre_tokenizer.h"

#include "character_steps.h"
#include "characters.h"
#include "longbow/core/utf8.h"
#include "metaspace.h"
#include "pattern_steps.h"

namespace longbow::hf {

namespace {

constexpr std::size_t kMostSteps = 16;
constexpr int kDeepest = 8;

class MetaspaceStep : public Step {
public:
    explicit MetaspaceStep(Metaspace rule) : rule_(std::move(rule)) {}

    void run(Piece piece, const Next& next) const override {
        auto& text = next.buffer();
        text.clear();
        if (rule_.prepend == Prepend::always || (rule_.prepend == Prepend::first && piece.first)) {
            if (!piece.text.starts_with(' ') && !piece.text.starts_with(rule_.replacement)) text = rule_.replacement;
        }
        for (auto rest = piece.text; !rest.empty();) {
            const auto space = std::min(rest.find(' '), rest.size());
            text += rest.substr(0, space);
            if (space < rest.size()) text += rule_.replacement;
            rest.remove_prefix(std::min(space + 1, rest.size()));
        }
        const std::string_view whole = text;
        if (!rule_.split) {
            next(whole, piece.first);
            return;
        }
        for (std::size_t begin = 0; begin < whole.size();) {
            const auto end = std::min(whole.find(rule_.replacement, begin + 1), whole.size());
            next(whole.substr(begin, end - begin), piece.first && begin == 0);
            begin = end;
        }
    }

    // Where nothing is put in front of a part that begins with a space.
    Cut cut(char32_t& before, char32_t& after) const override {
        if (rule_.prepend != Prepend::never && after != ' ') return Cut::never;
        const auto replacement = decode_utf8(rule_.replacement).value;
        if (before == ' ') before = replacement;
        if (after == ' ') after = replacement;
        return rule_.split && after == replacement ? Cut::boundary : Cut::through;
    }

private:
    Metaspace rule_;
};

}  // namespace

PreTokenizer::PreTokenizer(std::optional<Component> component) {
    if (component) add(*component, 0);
}

void PreTokenizer::add(Component part, int depth) {
    const auto& type = part.type();
    if (type == "Sequence") {
        if (depth == kDeepest) part.refuse("sequences are nested too deep");
        for (const auto& each : part.objects("pretokenizers")) add(each, depth + 1);
        part.check_all_read();
        return;
    }
    if (steps_.size() == kMostSteps) part.refuse("more than 16 steps");
    const auto set = [&](bool (*contains)(char32_t)) { return CharacterSet(contains, byte_level_); };
    if (type == "ByteLevel") {
        if (byte_level_) part.refuse("a second ByteLevel, which would name bytes of names");
        const bool prefix = part.flag("add_prefix_space");
        part.ignore("trim_offsets");
        steps_.push_back(part.flag("use_regex", true) ? gpt2_step(prefix) : bytes_step(prefix));
        byte_level_ = true;
    } else if (type == "Split") {
        steps_.push_back(split_step(part, byte_level_));
    } else if (type == "Digits") {
        const auto behavior = part.flag("individual_digits") ? Behavior::isolated : Behavior::contiguous;
        steps_.push_back(character_step(set(is_numeric), behavior));
    } else if (type == "Punctuation") {
        const auto behavior = part.find("behavior") == nullptr ? Behavior::isolated : read_behavior(part);
        steps_.push_back(character_step(set(is_punctuation), behavior));
    } else if (type == "WhitespaceSplit") {
        steps_.push_back(character_step(set(is_space), Behavior::removed));
    } else if (type == "Whitespace") {
        steps_.push_back(whitespace_step(byte_level_));
    } else if (type == "Metaspace") {
        if (byte_level_) part.refuse("a Metaspace behind a ByteLevel");
        auto rule = read_metaspace(part);
        if (rule.prepend == Prepend::first) first_step_ = steps_.size();
        steps_.push_back(std::make_unique<MetaspaceStep>(std::move(rule)));
    } else {
        part.refuse_type(
            {"ByteLevel", "Digits", "Metaspace", "Punctuation", "Sequence", "Split", "Whitespace", "WhitespaceSplit"});
    }
    part.check_all_read();
}

void PreTokenizer::run(Piece piece, std::deque<std::string>& buffers, const Next::Sink& sink) const {
    if (buffers.size() < steps_.size()) buffers.resize(steps_.size());
    Next(*this, 0, buffers, sink)(piece.text, piece.first);
}

Cut PreTokenizer::cut(char32_t& before, char32_t& after) const {
    for (const auto& step : steps_) {
        const auto found = step->cut(before, after);
        if (found != Cut::through) return found;
    }
    return Cut::through;
}

}  // namespace longbow::hf
