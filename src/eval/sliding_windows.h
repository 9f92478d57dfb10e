// The windows of the protocols that slide over the tokens themselves, without a boundary of Longbow's own in front: hf
// and yarn.
#pragma once

#include <vector>

#include "longbow/eval/protocol.h"

namespace longbow {

// Plans windows of `length` tokens that begin every `stride` tokens, up to the first that reaches the end; each scores
// the targets that no window before it scored. What the windows consist of depends on text.bos:
// - never: tokens of the text. A window's first token is only context, since nothing precedes it.
// - first: the same over the text with a BOS in front, which is the first token of the first window.
// - each_window: a BOS and length - 1 tokens of the text, all of which can be scored.
// With text.truncate there is only the first window. A window that scores nothing is omitted.
void plan_sliding_windows(const EvalStretch& text, std::vector<EvalWindow>& windows);

}  // namespace longbow
