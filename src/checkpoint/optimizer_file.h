// The optimizer's tensors as files hold them: flat slices under the names of the model's stored tensors,
// "exp_avg/layers.0.norm1.weight", with a table "longbow.ranges" of which elements each holds, so that any number of
// ranks reads what any other number wrote.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "longbow/checkpoint/tensor_slice.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"

namespace longbow {

// All of the slots' elements, in the slots' memory. `owned`: what the optimizer updates, one a tensor of a slot; a
// parameter of the model, or a flat view of a part of one. A packed parameter (q, k and v) has a slice for each stored
// tensor of it.
std::vector<TensorSlice> optimizer_slices(const LanguageModel& model, Optimizer& optimizer,
                                          const std::vector<at::Tensor>& owned);

void write_optimizer_file(const std::filesystem::path& path, const std::vector<TensorSlice>& slices);

// Adds the file's slices to `found`, by name. They say no `size`: the model does. Throws CheckpointError where the
// ranges do not fit the tensors.
void read_optimizer_file(const std::filesystem::path& path, std::map<std::string, std::vector<TensorSlice>>& found);

// Copies into `wanted` what `parts`, which must make up the whole tensor, have of it. Throws CheckpointError, "WHERE:
// ..", where they do not.
void fill_slice(const TensorSlice& wanted, std::vector<TensorSlice>& parts, const std::string& where);

}  // namespace longbow
