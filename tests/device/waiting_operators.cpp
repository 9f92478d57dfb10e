#include "waiting_operators.h"

#include <ATen/core/Tensor.h>

#include <set>

namespace pretend {

namespace {

// Their results' sizes, or numbers that they read on the host, are computed on the device. Reading at a mask (index) is
// not among them: it finds the places of the mask by nonzero.
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
                                     "bincount",
                                     "histc",
                                     "repeat_interleave.Tensor",
                                     "unique_dim_consecutive",
                                     "_linalg_check_errors"};

bool is_mask(const at::Tensor& index) { return index.scalar_type() == at::kBool || index.scalar_type() == at::kByte; }

// Writing at a mask turns it into places, whose number the host needs; if one value is put everywhere, the mask is used
// as it is. Indices on the CPU are copied to the device.
std::string writing_waits(const std::vector<c10::IValue>& arguments) {
    const bool one_value = arguments[2].toTensor().numel() == 1;
    for (const std::optional<at::Tensor>& index : arguments[1].toOptionalTensorVector()) {
        if (!index || !index->defined()) continue;
        if (is_mask(*index) && !one_value) return "index_put at a mask";
        if (index->is_cpu()) return "index_put at places on the CPU";
    }
    return {};
}

}  // namespace

std::string reason_to_wait(const std::string& name, const std::vector<c10::IValue>& arguments) {
    if (name == "_index_put_impl_") return writing_waits(arguments);
    const bool size_is_given = name == "repeat_interleave.Tensor" && arguments[1].isInt();
    return kWaiting.count(name) > 0 && !size_is_given ? name : std::string();
}

}  // namespace pretend
