// The source of our model as a class of transformers, which lies beside the weights of an export with --custom-code
// (src/checkpoint/hf_custom).
#pragma once

namespace longbow {

extern const char* hf_configuration_source();
extern const char* hf_positions_source();
extern const char* hf_modeling_source();

}  // namespace longbow
