// The flags of verbs that evaluate: which text, which of its tokens, and how the model computes.
#pragma once

#include <CLI/CLI.hpp>

#include "longbow/eval/evaluator.h"
#include "longbow/eval/measured_run.h"
#include "longbow/eval/measured_text.h"

namespace longbow {

// Adds --data, --text, --ids and --split.
void add_text_flags(CLI::App* verb, TextSource& source);
// Throws UsageError unless exactly one of the three is given. `verb` names the command in the message.
void check_one_text(const TextSource& source, const std::string& verb);

// Adds --stride, --protocol, --within-documents, --max-stream-tokens, --bos, --truncate and --min-document-tokens.
void add_window_flags(CLI::App* verb, EvalRequest& request);

// Adds --max-tokens, --dtype and --attention.
void add_model_flags(CLI::App* verb, ModelChoice& choice, EvalRequest& request);

}  // namespace longbow
