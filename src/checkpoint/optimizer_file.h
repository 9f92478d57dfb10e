// Reads and writes the optimizer's tensors as files hold them: flat slices under the names of the model's stored
// tensors, "exp_avg/layers.0.norm1.weight". A table "longbow.ranges" says which elements each slice holds, so that any
// number of ranks can read what any other number wrote.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "longbow/checkpoint/tensor_slice.h"
#include "longbow/model/language_model.h"
#include "longbow/optim/optimizer.h"

namespace longbow {

// Returns slices of all elements of the slots, which are views of the slots' memory. `owned` are the tensors that the
// optimizer updates, one for each tensor of a slot: parameters of the model, or flat views of parts of them. A packed
// parameter (q, k and v) gives a slice for each of its stored tensors.
std::vector<TensorSlice> optimizer_slices(const LanguageModel& model, Optimizer& optimizer,
                                          const std::vector<at::Tensor>& owned);

void write_optimizer_file(const std::filesystem::path& path, const std::vector<TensorSlice>& slices);

// Adds the file's slices to `found`, by name. Their `size` is 0, since only the model knows it. Throws CheckpointError
// if the ranges do not fit the tensors.
void read_optimizer_file(const std::filesystem::path& path, std::map<std::string, std::vector<TensorSlice>>& found);

// Copies to `wanted` the elements that it needs from `parts`, which must make up the whole tensor. If they do not,
// throws CheckpointError, whose message begins with `where`.
void fill_slice(const TensorSlice& wanted, std::vector<TensorSlice>& parts, const std::string& where);

}  // namespace longbow
