#include "waiting_operators.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <set>

namespace pretend {

namespace {

// Their results' sizes, or numbers that they read on the host, are computed on the device.
const std::set<std::string> kWaiting{"nonzero",
                                     "nonzero.out",
                                     "masked_select",
                                     "masked_select.out",
                                     "equal",
                                     "is_nonzero",
                                     "_unique",
                                     "_unique2",
                                     "unique_dim",
                                     "unique_consecutive",
                                     "unique_dim_consecutive",
                                     "bincount",
                                     "histc",
                                     "repeat_interleave.Tensor",

                                     "_linalg_check_errors"};
const std::set<std::string> kIndexing{"index.Tensor", "index.Tensor_out", "_index_put_impl_", "index_put_",
                                      "index_put"};

bool is_mask(const at::Tensor& index) { return index.scalar_type() == at::kBool || index.scalar_type() == at::kByte; }

// A mask is turned into places, whose number the host needs; if one value is put everywhere, it is used as it is.
// Indices on the CPU are copied to the device.
std::string indexing_waits(const std::string& name, const std::vector<c10::IValue>& arguments) {
    const bool puts_one_value = name.find("put") != std::string::npos && arguments[2].toTensor().numel() == 1;
    for (const std::optional<at::Tensor>& index : arguments[1].toOptionalTensorVector()) {
        if (!index || !index->defined()) continue;
        if (is_mask(*index) && !puts_one_value) return name + " by a mask";
        if (index->is_cpu()) return name + " by indices on the CPU";
    }
    return {};
}

}  // namespace

std::string reason_to_wait(const std::string& name, const std::vector<c10::IValue>& arguments) {
    if (kWaiting.count(name) > 0 && !(name == "repeat_interleave.Tensor" && arguments[1].isInt())) return name;
    return kIndexing.count(name) > 0 ? indexing_waits(name, arguments) : std::string();
}

}  // namespace pretend
