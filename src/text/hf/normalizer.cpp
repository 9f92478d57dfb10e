#include "normalizer.h"

#include <algorithm>
#include <map>

#include "characters.h"
#include "longbow/core/utf8.h"
#include "pattern.h"
#include "unicode_forms.h"

namespace longbow::hf {

namespace {

constexpr std::size_t kMostParts = 16;
constexpr int kDeepest = 8;

class FormPart : public NormalizerPart {
public:
    explicit FormPart(Form form) : normalization_(Normalization::of(form)) {}
    bool apply(std::string_view text, std::string& out) const override { return normalization_->apply(text, out); }
    bool may_cut(char32_t before, char32_t after, char32_t following) const override {
        return normalization_->is_plain(before) && normalization_->is_plain(after) &&
               normalization_->is_plain(following);
    }

private:
    std::shared_ptr<const Normalization> normalization_;
};

class PrependPart : public NormalizerPart {
public:
    explicit PrependPart(std::string text) : text_(std::move(text)) {}
    bool apply(std::string_view text, std::string& out) const override {
        if (text.empty()) return false;
        out = text_;
        out += text;
        return true;
    }
    bool may_cut(char32_t, char32_t, char32_t) const override { return text_.empty(); }
    bool inserts() const override { return true; }

private:
    std::string text_;
};

class ReplacePart : public NormalizerPart {
public:
    ReplacePart(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
    bool apply(std::string_view text, std::string& out) const override { return pattern_.replace(text, content_, out); }
    bool may_cut(char32_t, char32_t, char32_t) const override { return pattern_.character().has_value(); }
    bool moves_first() const override { return true; }

private:
    Pattern pattern_;
    std::string content_;
};

// Each character by itself becomes some text.
class CharacterPart : public NormalizerPart {
public:
    CharacterPart(void (*append)(std::string&, char32_t), bool removes) : append_(append), removes_(removes) {}
    bool apply(std::string_view text, std::string& out) const override {
        out.clear();
        for (std::size_t at = 0; at < text.size();) {
            const auto c = decode_utf8(text.substr(at, 4));
            at += c.length;
            append_(out, c.value);
        }
        return out != text;
    }
    bool may_cut(char32_t, char32_t, char32_t) const override { return true; }
    bool moves_first() const override { return removes_; }

private:
    void (*append_)(std::string&, char32_t);
    bool removes_;
};

class StripPart : public NormalizerPart {
public:
    StripPart(bool left, bool right) : left_(left), right_(right) {}
    bool apply(std::string_view text, std::string& out) const override {
        const auto size = text.size();
        while (left_ && !text.empty() && is_space(decode_utf8(text).value))
            text.remove_prefix(decode_utf8(text).length);
        while (right_ && !text.empty() && is_space(decode_utf8_back(text).value))
            text.remove_suffix(decode_utf8_back(text).length);
        out = text;
        return text.size() != size;
    }
    bool may_cut(char32_t, char32_t, char32_t) const override { return false; }
    bool moves_first() const override { return true; }

private:
    bool left_, right_;
};

}  // namespace

Normalizer::Normalizer(std::optional<Component> component) {
    if (component) add(*component, 0);
}

void Normalizer::add(Component part, int depth) {
    static const std::map<std::string, Form> forms{
        {"NFC", Form::nfc}, {"NFD", Form::nfd}, {"NFKC", Form::nfkc}, {"NFKD", Form::nfkd}};
    const auto& type = part.type();
    if (type == "Sequence") {
        if (depth == kDeepest) part.refuse("sequences are nested too deep");
        for (const auto& each : part.objects("normalizers")) add(each, depth + 1);
        part.check_all_read();
        return;
    }
    if (parts_.size() == kMostParts) part.refuse("more than 16 parts");
    if (const auto form = forms.find(type); form != forms.end()) {
        parts_.push_back(std::make_unique<FormPart>(form->second));
    } else if (type == "Prepend") {
        parts_.push_back(std::make_unique<PrependPart>(part.text("prepend")));
    } else if (type == "Replace") {
        Pattern pattern(part);
        parts_.push_back(std::make_unique<ReplacePart>(std::move(pattern), part.text("content")));
    } else if (type == "Lowercase") {
        parts_.push_back(std::make_unique<CharacterPart>(append_lower, false));
    } else if (type == "StripAccents") {
        const auto append = [](std::string& out, char32_t c) {
            if (!is_combining_mark(c)) append_utf8(out, c);
        };
        parts_.push_back(std::make_unique<CharacterPart>(append, true));
    } else if (type == "Strip") {
        const bool left = part.flag("strip_left");
        parts_.push_back(std::make_unique<StripPart>(left, part.flag("strip_right")));
    } else {
        part.refuse_type(
            {"Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Sequence", "Strip", "StripAccents"});
    }
    part.check_all_read();
}

std::string_view Normalizer::apply(std::string_view text, std::string (&buffers)[2]) const {
    int spare = 0;
    for (const auto& part : parts_) {
        if (!part->apply(text, buffers[spare])) continue;
        text = buffers[spare];
        spare = 1 - spare;
    }
    return text;
}

bool Normalizer::may_cut(char32_t& before, char32_t& after, char32_t following) const {
    if (empty()) return true;
    std::string buffers[2];
    const auto become = [&](char32_t& c, const NormalizerPart& part, bool last) {
        std::string alone;
        append_utf8(alone, c);
        if (!part.apply(alone, buffers[0])) return true;
        if (buffers[0].empty()) return false;
        c = last ? decode_utf8_back(buffers[0]).value : decode_utf8(buffers[0]).value;
        return true;
    };
    for (const auto& part : parts_) {
        if (!part->may_cut(before, after, following)) return false;
        if (!become(before, *part, true) || !become(after, *part, false) || !become(following, *part, false))
            return false;
    }
    return true;
}

bool Normalizer::moves_first() const {
    return std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->moves_first(); });
}

bool Normalizer::inserts() const {
    return std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return part->inserts(); });
}

}  // namespace longbow::hf
