// The back-ends that make_attention_backend() chooses from; each in its own .cpp.
#pragma once

#include <memory>

#include "longbow/attention/attention_backend.h"

namespace longbow {

std::unique_ptr<AttentionBackend> make_fused_attention(const AttentionRequest& request);
std::unique_ptr<AttentionBackend> make_reference_attention(const AttentionRequest& request);
std::unique_ptr<AttentionBackend> make_sdpa_attention(const AttentionRequest& request);

}  // namespace longbow
