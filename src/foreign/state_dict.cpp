#include "state_dict.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Kind = PickleValue::Kind;

std::string shape_text(const std::vector<std::int64_t>& sizes) {
    std::vector<std::string> parts;
    for (const auto size : sizes) parts.push_back(std::to_string(size));
    return "[" + join(parts, ", ") + "]";
}

bool is_floating(PickleDtype dtype) {
    return dtype == PickleDtype::f32 || dtype == PickleDtype::f16 || dtype == PickleDtype::bf16 ||
           dtype == PickleDtype::f64;
}

// Converts IEEE half precision: 1 sign bit, 5 exponent bits, 10 fraction bits.
double half_value(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double size = exponent == 31  ? std::nan("")
                        : exponent == 0 ? std::ldexp(fraction, -24)
                                        : std::ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -size : size;
}

template <class Number>
Number number_of(const std::vector<std::byte>& bytes) {
    Number value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

}  // namespace

StateDict::StateDict(const TorchFile& file) : file_(file) {
    const auto& tree = file.tree();
    const auto model = tree.find(tree.root, "model");
    if (model == kNoPickle || tree[model].kind != Kind::dict)
        fail("its entry \"model\" is not a dict of tensors, but " + tree.describe(model));
    const auto& items = tree[model].items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
        const auto &name = tree[items[i]], &value = tree[items[i + 1]];
        if (name.kind != Kind::text || value.kind != Kind::tensor) {
            fail("its entry \"model\" is not a dict of tensors: " + quote_foreign(name.text) + " is " +
                 tree.describe(items[i + 1]));
        }
        tensors_[name.text] = tree.tensors[static_cast<std::size_t>(value.integer)];
    }
}

void StateDict::fail(const std::string& reason) const { throw CheckpointError(file_.name() + ": " + reason); }

std::vector<std::string> StateDict::names() const {
    std::vector<std::string> names;
    for (const auto& [name, _] : tensors_) names.push_back(name);
    return names;
}

PickleTensor StateDict::take(const std::string& name, const std::vector<std::int64_t>& sizes) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail("it has no tensor " + name + ", which a language model with its settings has");
    if (found->second.sizes != sizes) {
        fail("its tensor " + name + " has the shape " + shape_text(found->second.sizes) + ", by its settings " +
             shape_text(sizes));
    }
    const auto dtype = file_.tree().storages[found->second.storage].dtype;
    if (!is_floating(dtype))
        fail("its tensor " + name + " has elements of " + name_of(dtype) + ", not floating-point numbers");
    PickleTensor tensor = std::move(found->second);
    tensors_.erase(found);
    return tensor;
}

std::vector<std::int64_t> StateDict::sizes(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? std::vector<std::int64_t>() : found->second.sizes;
}

std::optional<double> StateDict::scalar(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end() || found->second.elements() != 1) return std::nullopt;
    const auto dtype = file_.tree().storages[found->second.storage].dtype;
    if (size_of(dtype) == 0) return std::nullopt;
    const auto bytes = file_.contiguous(found->second);
    switch (dtype) {
        case PickleDtype::f32: return number_of<float>(bytes);
        case PickleDtype::f64: return number_of<double>(bytes);
        case PickleDtype::f16: return half_value(number_of<std::uint16_t>(bytes));
        case PickleDtype::bf16: {
            const auto bits = static_cast<std::uint32_t>(number_of<std::uint16_t>(bytes)) << 16;
            float value = 0;
            std::memcpy(&value, &bits, sizeof value);
            return value;
        }
        case PickleDtype::i64: return static_cast<double>(number_of<std::int64_t>(bytes));
        default: return std::nullopt;
    }
}

void StateDict::drop(const std::function<bool(const std::string& name)>& unwanted) {
    std::erase_if(tensors_, [&](const auto& entry) { return unwanted(entry.first); });
}

void StateDict::take_tied(const std::string& name, const PickleTensor& kept, const std::string& kept_name) {
    const PickleTensor tied = take(name, kept.sizes);
    const auto& storages = file_.tree().storages;
    if (tied.storage == kept.storage && tied.offset == kept.offset && tied.strides == kept.strides) return;
    if (storages[tied.storage].dtype != storages[kept.storage].dtype ||
        file_.contiguous(tied) != file_.contiguous(kept)) {
        fail("its tensors " + name + " and " + kept_name +
             " are one by its settings, and differ: it is damaged, or was put together from two models");
    }
}

PickleTensor rows_of(const PickleTensor& tensor, std::int64_t begin, std::int64_t end) {
    PickleTensor rows = tensor;
    if (begin != 0) rows.offset += begin * tensor.strides.at(0);
    rows.sizes.at(0) = end - begin;
    return rows;
}

PickleTensor transposed(const PickleTensor& matrix) {
    PickleTensor other = matrix;
    std::swap(other.sizes.at(0), other.sizes.at(1));
    std::swap(other.strides.at(0), other.strides.at(1));
    return other;
}

}  // namespace longbow
