#include "unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>

#include "longbow/core/utf8.h"

namespace longbow::hf {

namespace {

struct Range {
    char32_t first, last;
};

// Marks that have a combining class since 10.0, and what decomposes or composes since then.
constexpr Range kInert[] = {
    {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ADD},   {0x1AE0, 0x1AEB},
    {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC},
    {0x10EFA, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B},
    {0x113B8, 0x113B8}, {0x113BB, 0x113BB}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113C9},
    {0x113CE, 0x113D0}, {0x113E1, 0x113E2}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930},
    {0x11935, 0x11935}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0},
    {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
    {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x1611E, 0x16129}, {0x1612F, 0x1612F}, {0x16D63, 0x16D63},
    {0x16D67, 0x16D6A}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6},
    {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
};
constexpr Range kDecomposingLater[] = {
    {0x11383, 0x11383},
    {0x11385, 0x11385},
    {0x1138E, 0x1138E},
    {0x11391, 0x11391},
};
// The same of compatible decompositions.
constexpr Range kCompatibleLater[] = {
    {0x32FF, 0x32FF},   {0xA7F1, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x10785}, {0x10787, 0x107B0},
    {0x107B2, 0x107BA}, {0x1CCD6, 0x1CCF9}, {0x1E030, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
};

template <std::size_t N>
bool in_ranges(const Range (&ranges)[N], char32_t c) {
    return std::any_of(std::begin(ranges), std::end(ranges),
                       [&](const Range& range) { return c >= range.first && c <= range.last; });
}

bool is_inert(char32_t c, bool compatible) {
    return in_ranges(kInert, c) || in_ranges(kDecomposingLater, c) || (compatible && in_ranges(kCompatibleLater, c));
}

int combining_class(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

bool is_hangul(char32_t c) { return c >= 0xAC00 && c <= 0xD7A3; }

}  // namespace

std::shared_ptr<const Normalization> Normalization::of(Form form) {
    static std::mutex mutex;
    static std::array<std::shared_ptr<const Normalization>, 4> made;
    const std::scoped_lock lock(mutex);
    auto& found = made[static_cast<std::size_t>(form)];
    if (found == nullptr) found = std::make_shared<const Normalization>(form);
    return found;
}

Normalization::Normalization(Form form)
    : compatible_(form == Form::nfkc || form == Form::nfkd),
      composed_(form == Form::nfc || form == Form::nfkc),
      plain_(0x110000, true) {
    std::string out;
    std::vector<bool> second(composed_ ? 0x110000 : 0);  // whether a character may join what stands before it
    for (char32_t c = 0; c < 0x110000; ++c) {
        if (c == 0xD800) c = 0xE000;
        const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
        const bool decomposes = property->decomp_seqindex != UINT16_MAX || is_hangul(c);
        if ((!decomposes && property->combining_class == 0) || is_inert(c, compatible_)) continue;
        if (property->combining_class != 0 || (is_hangul(c) && !composed_)) {
            plain_[c] = false;
            continue;
        }
        if (is_hangul(c)) continue;
        std::string alone;
        append_utf8(alone, c);
        out.clear();
        normalize(alone, out);
        plain_[c] = out == alone;
        if (!composed_) continue;
        utf8proc_int32_t parts[64];
        int boundary = 0;
        const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE);
        const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 64, options, &boundary);
        for (utf8proc_ssize_t i = 1; i < count && i < 64; ++i) second[static_cast<std::size_t>(parts[i])] = true;
    }
    if (!composed_) return;
    for (char32_t c = 0; c < 0x110000; ++c) {
        const bool jamo = (c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2);
        if ((second[c] || jamo) && !is_inert(c, compatible_)) plain_[c] = false;
    }
}

bool Normalization::apply(std::string_view text, std::string& out) const {
    std::size_t done = 0;            // what is written, or need not be
    std::size_t before = 0, at = 0;  // the last plain character before `at`
    bool changed = false;
    while (at < text.size()) {
        if (static_cast<unsigned char>(text[at]) < 0x80) {  // all of ASCII is plain
            before = at++;
            continue;
        }
        const auto c = decode_utf8(text.substr(at, 4));
        if (is_plain(c.value)) {
            before = at;
            at += c.length;
            continue;
        }
        auto end = at + c.length;
        while (end < text.size()) {
            const auto more = decode_utf8(text.substr(end, 4));
            if (is_plain(more.value)) break;
            end += more.length;
        }
        if (!changed) out.clear();
        changed = true;
        out += text.substr(done, before - done);
        normalize(text.substr(before, end - before), out);
        done = before = at = end;
    }
    if (changed) out += text.substr(done);
    return changed;
}

void Normalization::normalize(std::string_view text, std::string& out) const {
    thread_local std::vector<utf8proc_int32_t> points;
    points.clear();
    const auto options = static_cast<utf8proc_option_t>(
        UTF8PROC_STABLE | (composed_ ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (compatible_ ? UTF8PROC_COMPAT : 0));
    for (std::size_t at = 0; at < text.size();) {
        const auto c = decode_utf8(text.substr(at, 4));
        at += c.length;
        utf8proc_int32_t parts[64];
        int boundary = 0;
        const auto count =
            is_inert(c.value, compatible_)
                ? 0
                : utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), parts, 64, options, &boundary);
        if (count <= 0 || count > 64)
            points.push_back(static_cast<utf8proc_int32_t>(c.value));
        else
            points.insert(points.end(), parts, parts + count);
    }
    for (auto begin = points.begin(); begin != points.end();) {
        const auto end = std::find_if(begin, points.end(), [](auto c) { return combining_class(c) == 0; });
        std::stable_sort(begin, end, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
        begin = end == points.end() ? end : end + 1;
    }
    auto count = static_cast<utf8proc_ssize_t>(points.size());
    if (composed_) count = utf8proc_normalize_utf32(points.data(), count, options);
    for (utf8proc_ssize_t i = 0; i < count; ++i)
        append_utf8(out, static_cast<char32_t>(points[static_cast<std::size_t>(i)]));
}

}  // namespace longbow::hf
