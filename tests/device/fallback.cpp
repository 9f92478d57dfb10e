// Runs every operator that has no kernel of its own for the pretend device: on the twins of its device tensors, by the
// CPU's kernel. Operands on two devices are an error, as on a GPU.
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "device_memory.h"
#include "generator.h"
#include "tensors.h"
#include "waiting_operators.h"
#include "waits.h"

namespace pretend {

namespace {

std::string name_of(const c10::FunctionSchema& schema) {
    std::string name = schema.name();
    if (name.rfind("aten::", 0) == 0) name.erase(0, 6);
    return schema.overload_name().empty() ? name : name + "." + schema.overload_name();
}

// Where the operands of a call are.
class Operands {
public:
    explicit Operands(const std::string& operator_name)
        : name_(operator_name),
          moves_indices_(operator_name.find("index.Tensor") == 0 ||
                         operator_name.find("index_put") != std::string::npos) {}

    // Numbers (no dimensions) on the CPU are passed to kernels by value.
    void see(const at::Tensor& t, const std::string& argument) {
        if (!t.defined()) return;
        if (t.is_cuda()) {
            see(t.device());
        } else if (t.dim() > 0 && !(moves_indices_ && argument == "indices")) {
            on_cpu_ += " " + argument + " " + c10::str(t.sizes());
        }
    }
    void see(c10::Device device) {
        if (!device.is_cuda()) return;
        TORCH_CHECK(!device_ || !device.has_index() || device_->index() == device.index(), "pretend device: ", name_,
                    " got operands on ", *device_, " and ", device);
        if (!device_ || device.has_index()) device_ = device;
    }
    // Throws if there are operands of both worlds. Returns the device, if any.
    [[nodiscard]] std::optional<c10::Device> checked() const {
        TORCH_CHECK(!device_ || on_cpu_.empty(), "pretend device: ", name_,
                    " on a device tensor got operands on the CPU:", on_cpu_);
        return device_;
    }

private:
    const std::string& name_;
    bool moves_indices_;
    std::optional<c10::Device> device_;
    std::string on_cpu_;
};

c10::IValue with_twins(const c10::IValue& value, const std::string& argument, Operands& operands) {
    if (value.isTensor()) {
        operands.see(value.toTensor(), argument);
        return twin(value.toTensor());
    }
    if (value.isTensorList()) {
        c10::List<at::Tensor> list;
        for (const at::Tensor& t : value.toTensorVector()) {
            operands.see(t, argument);
            list.push_back(twin(t));
        }
        return list;
    }
    if (value.isOptionalTensorList()) {
        c10::List<std::optional<at::Tensor>> list;
        for (const std::optional<at::Tensor>& t : value.toOptionalTensorVector()) {
            if (t) operands.see(*t, argument);
            list.push_back(t ? std::optional(twin(*t)) : std::nullopt);
        }
        return list;
    }
    if (value.isDevice()) {
        operands.see(value.toDevice());
        return c10::Device(c10::kCPU);
    }
    if (value.isGenerator()) {
        const auto generator = value.toGenerator();
        return generator.defined() && generator.device().is_cuda() ? engine_of(generator) : generator;
    }
    return value;
}

bool shares_storage(const at::Tensor& device_tensor, const at::Tensor& cpu) {
    return device_tensor.defined() && device_tensor.is_cuda() && device_tensor.storage().data() != nullptr &&
           DeviceMemory::instance().twin(device_tensor.storage().data()) == cpu.storage().data();
}

std::vector<at::Tensor> tensors_in(const std::vector<c10::IValue>& arguments) {
    std::vector<at::Tensor> all;
    for (const auto& argument : arguments) {
        if (argument.isTensor()) all.push_back(argument.toTensor());
        if (argument.isTensorList()) {
            for (const at::Tensor& t : argument.toTensorVector()) all.push_back(t);
        }
    }
    return all;
}

// Returns the device tensor of a result that the CPU's kernel gave: a view of the argument whose memory it shares, or a
// new tensor. A view is new even where it has the argument's shape, since it may be changed by itself.
at::Tensor result_on_device(const std::string& name, const at::Tensor& t, const std::vector<c10::IValue>& arguments,
                            bool is_view, c10::Device device) {
    if (!t.defined() || t.is_cuda()) return t;
    const OnDevice there(device);
    if (!t.has_storage() || !DeviceMemory::instance().holds_twin(t.storage().data())) return on_device(t);
    for (const auto& argument : tensors_in(arguments)) {
        if (!shares_storage(argument, t)) continue;
        const bool same = argument.sizes() == t.sizes() && argument.strides() == t.strides() &&
                          argument.storage_offset() == t.storage_offset() && argument.dtype() == t.dtype();
        if (same && !is_view) return argument;
        auto view = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(argument.storage()),
                                                             argument.key_set(), t.dtype());
        view.unsafeGetTensorImpl()->set_sizes_and_strides(t.sizes(), t.strides(), t.storage_offset());
        return view;
    }
    TORCH_CHECK(false, "pretend device: ", name, " returned a view of memory that is no argument's");
}

// An argument that the operator wrote to (in place or out=) is its own result. The kernel may have resized its twin.
at::Tensor written_argument(const at::Tensor& argument, const at::Tensor& written) {
    if (!argument.is_cuda()) return argument;
    if (!shares_storage(argument, written)) {
        argument.resize_(written.sizes());
        twin(argument).copy_(written);
    } else if (argument.sizes() != written.sizes()) {
        argument.unsafeGetTensorImpl()->set_sizes_and_strides(written.sizes(), written.strides(),
                                                              written.storage_offset());
    }
    return argument;
}

c10::IValue result_value(const std::string& name, const c10::FunctionSchema& schema, std::size_t index,
                         const c10::IValue& value, const std::vector<c10::IValue>& arguments, c10::Device device) {
    const auto* const alias = schema.returns()[index].alias_info();
    if (value.isTensorList()) {
        c10::List<at::Tensor> list;
        for (const at::Tensor& t : value.toTensorVector())
            list.push_back(result_on_device(name, t, arguments, alias != nullptr, device));
        return list;
    }
    if (!value.isTensor()) return value;
    if (alias == nullptr || !alias->isWrite())
        return result_on_device(name, value.toTensor(), arguments, alias != nullptr, device);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto* const info = schema.arguments()[i].alias_info();
        if (info != nullptr && info->isWrite() && *info == *alias && arguments[i].isTensor())
            return written_argument(arguments[i].toTensor(), value.toTensor());
    }
    return value;
}

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
    const PlainWork plain;
    const auto& schema = op.schema();
    const auto name = name_of(schema);
    ran(name);
    const auto begin = stack->end() - static_cast<std::ptrdiff_t>(schema.arguments().size());
    const std::vector<c10::IValue> arguments(begin, stack->end());
    Operands operands(name);
    for (std::size_t i = 0; i < arguments.size(); ++i)
        begin[static_cast<std::ptrdiff_t>(i)] = with_twins(arguments[i], schema.arguments()[i].name(), operands);
    const auto device = operands.checked();
    if (const auto why = device ? reason_to_wait(name, arguments) : std::string(); !why.empty()) waited(why);

    // The boxed call of an out= operator returns references into the stack, after it has let go of what was there.
    const std::vector<c10::IValue> alive(begin, stack->end());
    {
        std::optional<DrawsFromDevice> draws;
        if (device && op.hasTag(at::Tag::nondeterministic_seeded)) draws.emplace(device->index());
        op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
    }
    if (!device) return;
    const auto first = stack->end() - static_cast<std::ptrdiff_t>(schema.returns().size());
    for (std::size_t i = 0; i < schema.returns().size(); ++i) {
        auto& value = first[static_cast<std::ptrdiff_t>(i)];
        value = result_value(name, schema, i, value, arguments, *device);
    }
}

}  // namespace

TORCH_LIBRARY_IMPL(_, CUDA, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>()); }

}  // namespace pretend
