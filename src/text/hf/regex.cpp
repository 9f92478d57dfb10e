#include "regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/core.h>
#include <pcre2.h>

#include <map>
#include <mutex>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"

namespace longbow::hf {

namespace {

using Code = std::shared_ptr<pcre2_code>;

Code compile(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE at = 0;
    const Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                  PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr),
                    pcre2_code_free);
    if (code == nullptr) {
        char message[256] = "";
        pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
        throw RegexError(message);
    }
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without it the slower interpreter serves
    return code;
}

// What a thread needs to match any pattern. A pattern has no captures here.
struct Matching {
    std::shared_ptr<pcre2_match_data> data{pcre2_match_data_create(1, nullptr), pcre2_match_data_free};
    std::shared_ptr<pcre2_match_context> context{pcre2_match_context_create(nullptr), pcre2_match_context_free};
    std::shared_ptr<pcre2_jit_stack> stack{pcre2_jit_stack_create(32 << 10, 16 << 20, nullptr), pcre2_jit_stack_free};
    Matching() { pcre2_jit_stack_assign(context.get(), nullptr, stack.get()); }
};

// Returns the first match from `at` on, or nothing.
bool search(const pcre2_code* code, std::string_view text, std::size_t at, Span& found, const std::string& pattern) {
    thread_local Matching matching;
    const auto count = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_NO_UTF_CHECK,
                                   matching.data.get(), matching.context.get());
    if (count == PCRE2_ERROR_NOMATCH) return false;
    if (count < 0) throw DataError("the tokenizer's pattern \"" + pattern + "\" takes too many steps in this text");
    const auto* ends = pcre2_get_ovector_pointer(matching.data.get());
    found = {ends[0], ends[1], true};
    return true;
}

// What PCRE2 itself takes for \p{name}: its Unicode is another one.
const CodePoints& points_of_property(const std::string& name) {
    static std::mutex mutex;
    static std::map<std::string, CodePoints> known;
    const std::scoped_lock lock(mutex);
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    static const std::string all = [] {
        std::string text;
        const auto everything = CodePoints().complement();
        for (const auto& range : everything.ranges()) {
            for (auto c = range.first; c <= range.last; ++c) append_utf8(text, c);
        }
        return text;
    }();
    const auto code = compile("\\p{" + name + "}+");
    CodePoints points;
    Span span{0, 0, true};
    while (search(code.get(), all, span.end, span, name)) {
        const auto text = std::string_view(all).substr(span.begin, span.end - span.begin);
        points.add(CodePoints::range(decode_utf8(text).value, decode_utf8_back(text).value));
    }
    return known[name] = std::move(points);
}

std::string write_class(const RegexClass& found) {
    if (found.points.empty()) return found.negated ? "[\\x{0}-\\x{10FFFF}]" : "(?!)";
    CodePoints base;
    for (const auto& name : found.properties) base.add(points_of_property(name));
    std::string text = found.negated ? "[^" : "[";
    auto rest = found.points;
    if (!base.empty() && base.without(rest).empty()) {
        for (const auto& name : found.properties) text += "\\p{" + name + "}";
        rest = rest.without(base);
    }
    for (const auto& range : rest.ranges()) {
        text += fmt::format("\\x{{{:X}}}", static_cast<std::uint32_t>(range.first));
        if (range.last > range.first) text += fmt::format("-\\x{{{:X}}}", static_cast<std::uint32_t>(range.last));
    }
    return text + ']';
}

}  // namespace

Regex::Regex(std::string pattern)
    : pattern_(std::move(pattern)), code_(compile(translate_regex(pattern_, write_class))) {}

void Regex::find(std::string_view text, std::vector<Span>& matches) const {
    const auto* code = static_cast<const pcre2_code*>(code_.get());
    constexpr auto kNone = static_cast<std::size_t>(-1);
    Span found{0, 0, true};
    std::size_t at = 0, last_end = kNone;
    while (at <= text.size() && search(code, text, at, found, pattern_)) {
        // An empty match directly behind the last one is none.
        if (found.begin == found.end && found.end == last_end) {
            at += at < text.size() ? decode_utf8(text.substr(at, 4)).length : 1;
            continue;
        }
        matches.push_back(found);
        at = last_end = found.end;
    }
}

}  // namespace longbow::hf
