// An evaluation protocol says which windows an evaluation scores. Each protocol is one file of this room,
// protocol_NAME.cpp, which registers an EvalProtocol; otherwise only its test and its row in docs/evaluation.md name
// it. That row defines the protocol and names the tool that it follows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "longbow/text/bos.h"

namespace longbow {

// Describes one window. Its inputs are the positions [begin, end) of the shifted stream: input p predicts target p, and
// input 0 is the boundary id. The targets [score_begin, end) are scored.
struct EvalWindow {
    std::int64_t begin = 0, end = 0, score_begin = 0;
    // The first input is replaced by the boundary id, as llamacpp puts a BOS before each chunk (Bos).
    bool boundary_first = false;
    bool operator==(const EvalWindow&) const = default;
};

// Holds the range of targets [first, last) that a protocol cuts into windows: those of a stream, or of one of its
// documents.
struct EvalStretch {
    std::int64_t first, last;
    std::int64_t length, stride;  // tokens of a window; targets that a window adds, never 0
    Bos bos = Bos::never;         // of a protocol that takes_bos
    bool truncate = false;        // only the first window; of a protocol with document_rules
};

// The members have defaults, so that a protocol names only those that it needs and no compiler warns about the missing
// ones.
struct EvalProtocol {
    std::string name{};
    std::string help{};                // one line: what it scores and which tool it follows
    std::int64_t shortest_length = 1;  // tokens
    bool strided = true;               // whether the stride may be chosen; else it is always the default one
    bool within_documents = true;      // whether windows may begin anew at each document
    bool documents_apart = false;      // whether they always do
    // Whether the boundary that ends a document is one of its tokens; else the tool that the protocol follows has none
    // there.
    bool scores_boundary = true;
    // Whether --truncate and --min-document-tokens may be given.
    bool document_rules = false;
    // Whether --bos may be given; else the protocol's own rule says where a boundary stands. Rows that do not say which
    // one they had (of earlier versions) have default_bos, or never.
    bool takes_bos = false;
    std::optional<Bos> default_bos{};  // absent: what the model's family does
    // Whether the tool passes the last token of a window through the model too, although nothing is predicted from it.
    // A position method that depends on the number of inputs then sees `length` of them.
    bool passes_last_token = false;
    // Whether all targets are scored at every length, so that numbers at two lengths are about the same targets.
    bool scores_all = true;
    // Returns the default stride; if it is absent, the default is the length. Tables call it by its title, which is
    // empty if the protocol has no other stride.
    std::function<std::int64_t(std::int64_t length)> default_stride{};
    std::string default_stride_title{};
    // Adds the windows of one stretch in the order of their targets, none of which is scored twice. May throw
    // UsageError for a stretch that is too short.
    std::function<void(const EvalStretch&, std::vector<EvalWindow>&)> plan{};
    // Returns the number that the protocol's own tool would print for the losses [scored targets], if it weighs tokens
    // unevenly. If it is absent, that number is exp of their mean.
    std::function<double(const std::vector<double>& nll, const std::vector<EvalWindow>& windows)> tool_ppl{};

    [[nodiscard]] std::int64_t stride_at(std::int64_t length) const {
        return default_stride ? default_stride(length) : length;
    }
};

// Returns all registered protocols, sorted by name.
const std::vector<EvalProtocol>& eval_protocols();
std::vector<std::string> protocol_names();
// Throws UsageError that lists the known protocols.
const EvalProtocol& protocol_named(const std::string& name);
// Returns whether rows of this protocol score all targets at every length. Unknown protocols yield false.
bool protocol_scores_all(const std::string& name);
// Returns the rule of a row or request that names none; nothing if the protocol has a rule of its own, or is unknown.
std::optional<Bos> default_bos(const std::string& protocol);
bool register_protocol(EvalProtocol protocol);

// Stands at namespace scope in the protocol's .cpp. The linker keeps it because this room is linked whole.
#define LONGBOW_REGISTER_PROTOCOL(...) \
    static const bool longbow_protocol_registered = ::longbow::register_protocol(__VA_ARGS__)

}  // namespace longbow
