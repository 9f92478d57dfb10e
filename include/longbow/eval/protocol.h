// A protocol says which windows an evaluation scores. Each is one file of this room, protocol_NAME.cpp, which registers an EvalProtocol;
// nothing else names it but its test and its row in docs/evaluation.md, which defines each protocol and names the tool that it follows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace longbow {

// Inputs are positions [begin, end) of the shifted stream (input p predicts target p; input 0 is the boundary id); targets
// [score_begin, end) are scored.
struct EvalWindow {
    std::int64_t begin, end, score_begin;
    bool boundary_first = false;  // the first input is replaced by the boundary id (llamacpp puts BOS before each chunk)
    bool operator==(const EvalWindow&) const = default;
};

// What a protocol cuts into windows: the targets [first, last) of a stream, or of one of its documents.
struct EvalStretch {
    std::int64_t first, last;
    std::int64_t length, stride;  // tokens a window; targets that a window adds, never 0
};

// The members have defaults, so that a protocol writes only those that it needs, under any compiler's warnings.
struct EvalProtocol {
    std::string name{};
    std::string help{};                // one line: what it scores and which tool it follows
    std::int64_t shortest_length = 1;  // tokens
    bool strided = true;               // the stride may be chosen; else it is the default one
    bool within_documents = true;      // the windows may begin anew at each document
    bool scores_all = true;  // all targets are scored, whatever the length, so that numbers at two lengths are of the same targets
    // The stride at which it is used where none is chosen; absent: the length. Tables call it by its title; empty: there is no other.
    std::function<std::int64_t(std::int64_t length)> default_stride{};
    std::string default_stride_title{};
    // Adds the windows of one stretch in the order of their targets, none of which is scored twice. May throw UsageError for a stretch that
    // is too short.
    std::function<void(const EvalStretch&, std::vector<EvalWindow>&)> plan{};
    // What the tool itself would print for losses [scored targets], where it weighs tokens unevenly; absent: exp of their mean.
    std::function<double(const std::vector<float>& nll, const std::vector<EvalWindow>& windows)> tool_ppl{};

    [[nodiscard]] std::int64_t stride_at(std::int64_t length) const { return default_stride ? default_stride(length) : length; }
};

// The registered protocols, by name.
const std::vector<EvalProtocol>& eval_protocols();
std::vector<std::string> protocol_names();
// Throws UsageError that names the known ones.
const EvalProtocol& protocol_named(const std::string& name);
// Whether rows of this protocol score all targets at every length; not of one that this program does not know.
bool protocol_scores_all(const std::string& name);
bool register_protocol(EvalProtocol protocol);

// At namespace scope in the protocol's .cpp (this room is linked whole, so that no registration is dropped).
#define LONGBOW_REGISTER_PROTOCOL(...) static const bool longbow_protocol_registered = ::longbow::register_protocol(__VA_ARGS__)

}  // namespace longbow
