// What every export does to our values where the other program's form of a model differs from ours and the function is
// the same: factors, summands and the order of rows.
#pragma once

#include <map>
#include <string>

#include "longbow/config/config.h"
#include "longbow/foreign/hf_export.h"

namespace longbow {

// Whether a tensor of ours is the weight of a norm, those of q and k included.
bool is_norm_weight(const std::string& ours);
// The stored weight of a norm that multiplies by 1.
double one_of_norm(NormKind norm);
// Whether the embedding is multiplied by sqrt(dim). Both forms of it are the same number in fp32.
bool scales_embedding(EmbeddingScale scale);
// Whether a product with the factor is exact in every binary type, but for overflow.
bool is_exact_factor(double factor);

// Adds what makes up for norms that store 1 less, of the tensors of ours that `tensors` consist of, and says so in
// `notes`.
void change_norms(const ModelConfig& ours, const ModelConfig& theirs, const std::vector<ExportedTensor>& tensors,
                  std::map<std::string, ValueChange>& changes, std::vector<std::string>& notes);
// Adds what makes up for another order of the pairs of a rotation. Both configurations are complete and have rotary
// positions, or nothing is added.
void change_pairs(const Config& ours, const Config& theirs, std::map<std::string, ValueChange>& changes);

}  // namespace longbow
