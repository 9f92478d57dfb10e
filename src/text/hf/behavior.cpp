#include "behavior.h"

#include <algorithm>
#include <map>

namespace longbow::hf {

Behavior read_behavior(Component& component) {
    static const std::map<std::string_view, Behavior> known{{"Removed", Behavior::removed},
                                                            {"Isolated", Behavior::isolated},
                                                            {"MergedWithPrevious", Behavior::merged_with_previous},
                                                            {"MergedWithNext", Behavior::merged_with_next},
                                                            {"Contiguous", Behavior::contiguous}};
    const auto name = component.text("behavior");
    const auto found = known.find(name);
    if (found == known.end()) component.refuse("the behavior \"" + name + "\" is not known here");
    return found->second;
}

std::vector<Span> covering(const std::vector<Span>& matches, std::size_t size) {
    std::vector<Span> spans;
    std::size_t end = 0;
    for (const auto& match : matches) {
        if (end < match.begin) spans.push_back({end, match.begin, false});
        spans.push_back(match);
        end = match.end;
    }
    if (end < size) spans.push_back({end, size, false});
    return spans;
}

std::vector<Span> pieces_of(const std::vector<Span>& spans, Behavior behavior) {
    std::vector<Span> pieces;
    bool previous = false;  // whether the span before was a match
    switch (behavior) {
        case Behavior::isolated: return spans;
        case Behavior::removed:
            std::copy_if(spans.begin(), spans.end(), std::back_inserter(pieces),
                         [](const Span& s) { return !s.match; });
            return pieces;
        case Behavior::contiguous:
            for (const auto& span : spans) {
                if (span.match == previous && !pieces.empty())
                    pieces.back().end = span.end;
                else
                    pieces.push_back(span);
                previous = span.match;
            }
            return pieces;
        case Behavior::merged_with_previous:
            for (const auto& span : spans) {
                if (span.match && !previous && !pieces.empty())
                    pieces.back().end = span.end;
                else
                    pieces.push_back(span);
                previous = span.match;
            }
            return pieces;
        case Behavior::merged_with_next:
            for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
                if (span->match && !previous && !pieces.empty())
                    pieces.back().begin = span->begin;
                else
                    pieces.push_back(*span);
                previous = span->match;
            }
            std::reverse(pieces.begin(), pieces.end());
            return pieces;
    }
    return pieces;
}

}  // namespace longbow::hf
