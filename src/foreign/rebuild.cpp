#include "rebuild.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

namespace longbow {

namespace {

using Kind = PickleValue::Kind;

constexpr std::pair<std::string_view, PickleDtype> kStorageClasses[] = {
    {"torch DoubleStorage", PickleDtype::f64},
    {"torch FloatStorage", PickleDtype::f32},
    {"torch HalfStorage", PickleDtype::f16},
    {"torch BFloat16Storage", PickleDtype::bf16},
    {"torch LongStorage", PickleDtype::i64},
    {"torch IntStorage", PickleDtype::i32},
    {"torch ShortStorage", PickleDtype::i16},
    {"torch CharStorage", PickleDtype::i8},
    {"torch ByteStorage", PickleDtype::u8},
    {"torch BoolStorage", PickleDtype::boolean},
    {"torch ComplexFloatStorage", PickleDtype::complex64},
    {"torch ComplexDoubleStorage", PickleDtype::complex128},
    {"torch UntypedStorage", PickleDtype::u8},
    {"torch.storage UntypedStorage", PickleDtype::u8},
};

const PickleValue& argument(const PickleTree& tree, PickleId tuple, std::size_t index, Kind kind, const char* what) {
    const auto& items = tree[tuple].items;
    if (index >= items.size() || tree[items[index]].kind != kind)
        throw RebuildError{std::string(what) + " is missing or of another kind"};
    return tree[items[index]];
}

std::vector<std::int64_t> integers(const PickleTree& tree, const PickleValue& tuple, const PickleLimits& limits,
                                   const char* what) {
    if (tuple.items.size() > limits.dimensions)
        throw RebuildError{fmt::format("a tensor has {} dimensions", tuple.items.size())};
    std::vector<std::int64_t> values;
    for (const auto id : tuple.items) {
        if (tree[id].kind != Kind::integer || tree[id].integer < 0)
            throw RebuildError{std::string(what) + " are not natural numbers"};
        values.push_back(tree[id].integer);
    }
    return values;
}

// These return false on overflow, for a, b >= 0.
bool multiply(std::int64_t a, std::int64_t b, std::int64_t& product) { return !__builtin_mul_overflow(a, b, &product); }
bool add(std::int64_t a, std::int64_t b, std::int64_t& sum) { return !__builtin_add_overflow(a, b, &sum); }

// Checks that every element lies inside the storage and that there are no more than the storage has, because an
// expanded view could claim any size.
void check_inside(const PickleTensor& tensor, const PickleStorage& storage) {
    std::int64_t elements = 1, last = tensor.offset;
    bool empty = false;
    for (const auto size : tensor.sizes) empty = empty || size == 0;
    for (std::size_t i = 0; i < tensor.sizes.size() && !empty; ++i) {
        std::int64_t step = 0;
        if (!multiply(elements, tensor.sizes[i], elements) || !multiply(tensor.sizes[i] - 1, tensor.strides[i], step) ||
            !add(last, step, last)) {
            throw RebuildError{"a tensor's size overflows"};
        }
    }
    if (empty ? tensor.offset > storage.elements : last >= storage.elements || elements > storage.elements) {
        throw RebuildError{"a tensor reaches beyond its storage " + quote_foreign(storage.key)};
    }
}

// Rebuilds torch._utils._rebuild_tensor(storage, offset, size, stride), and _v2, whose further arguments do not matter
// here.
PickleValue rebuild_tensor(PickleTree& tree, PickleId arguments, const PickleLimits& limits) {
    if (tree.tensors.size() >= limits.tensors) throw RebuildError{"it holds more tensors than any checkpoint"};
    PickleTensor tensor;
    tensor.storage =
        static_cast<std::size_t>(argument(tree, arguments, 0, Kind::storage, "a tensor's storage").integer);
    tensor.offset = argument(tree, arguments, 1, Kind::integer, "a tensor's offset").integer;
    tensor.sizes =
        integers(tree, argument(tree, arguments, 2, Kind::tuple, "a tensor's size"), limits, "a tensor's sizes");
    tensor.strides =
        integers(tree, argument(tree, arguments, 3, Kind::tuple, "a tensor's stride"), limits, "a tensor's strides");
    if (tensor.offset < 0) throw RebuildError{"a tensor's offset is negative"};
    if (tensor.sizes.size() != tensor.strides.size()) throw RebuildError{"a tensor has not as many strides as sizes"};
    check_inside(tensor, tree.storages[tensor.storage]);
    PickleValue value;
    value.kind = Kind::tensor;
    value.integer = static_cast<std::int64_t>(tree.tensors.size());
    tree.tensors.push_back(std::move(tensor));
    return value;
}

// Rebuilds OrderedDict(), OrderedDict(pairs), defaultdict(factory) and dict().
PickleValue rebuild_dict(const PickleTree& tree, PickleId arguments, const PickleLimits& limits) {
    PickleValue dict;
    dict.kind = Kind::dict;
    const auto& given = tree[arguments].items;
    if (given.size() > 2) throw RebuildError{"a dict is made of more than a factory and its entries"};
    if (given.empty()) return dict;
    const auto& entries = tree[given.back()];
    if (entries.items.size() > limits.values) throw RebuildError{"it holds more values than any checkpoint"};
    if (entries.kind == Kind::dict) {
        dict.items = entries.items;
    } else if (entries.kind == Kind::list) {
        for (const auto pair : entries.items) {
            const auto& items = tree[pair].items;
            if ((tree[pair].kind != Kind::list && tree[pair].kind != Kind::tuple) || items.size() != 2) {
                throw RebuildError{"a dict is made of something else than pairs"};
            }
            dict.items.insert(dict.items.end(), items.begin(), items.end());
        }
    }
    return dict;
}

}  // namespace

PickleValue rebuild_storage(PickleTree& tree, PickleId id, const PickleLimits& limits) {
    if (tree[id].kind != Kind::tuple || argument(tree, id, 0, Kind::text, "a persistent id's kind").text != "storage") {
        throw RebuildError{"a persistent id is not a storage"};
    }
    const auto& type = argument(tree, id, 1, Kind::global, "a storage's type");
    const auto& key = argument(tree, id, 2, Kind::text, "a storage's key");
    PickleStorage storage;
    for (const auto& [name, dtype] : kStorageClasses) {
        if (type.text == name) storage.dtype = dtype;
    }
    storage.elements = argument(tree, id, 4, Kind::integer, "a storage's size").integer;
    if (key.text.size() > limits.name) throw RebuildError{"a storage's key is too long"};
    storage.key = key.text;
    if (storage.elements < 0 || storage.elements > std::numeric_limits<std::int64_t>::max() / 16)
        throw RebuildError{"a storage's size is impossible"};
    if (tree[id].items.size() > 5 && tree[tree[id].items[5]].kind != Kind::none) {
        throw RebuildError{"storage " + quote_foreign(storage.key) +
                           " is a view of another one, as files of PyTorch before 0.4 have them: save it again"};
    }
    PickleValue value;
    value.kind = Kind::storage;
    const auto [place, is_new] = tree.storage_by_key.emplace(storage.key, tree.storages.size());
    value.integer = static_cast<std::int64_t>(place->second);
    if (is_new) {
        if (tree.storages.size() >= limits.tensors) throw RebuildError{"it holds more tensors than any checkpoint"};
        tree.storages.push_back(std::move(storage));
    } else if (const auto& known = tree.storages[place->second];
               known.dtype != storage.dtype || known.elements != storage.elements) {
        throw RebuildError{"storage " + quote_foreign(storage.key) + " is described in two ways"};
    }
    return value;
}

PickleValue rebuild_call(PickleTree& tree, PickleId callee, PickleId arguments, const PickleLimits& limits) {
    if (tree[callee].kind == Kind::global) {
        const std::string& name = tree[callee].text;
        if (name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_tensor")
            return rebuild_tensor(tree, arguments, limits);
        if (name == "torch._utils _rebuild_parameter") {
            PickleValue value;
            value.kind = Kind::tensor;
            value.integer = argument(tree, arguments, 0, Kind::tensor, "a parameter's tensor").integer;
            return value;
        }
        if (name == "torch._tensor _rebuild_from_type_v2") {  // (function, type, arguments, state)
            const auto& function = argument(tree, arguments, 0, Kind::global, "a tensor's function");
            argument(tree, arguments, 2, Kind::tuple, "a tensor's arguments");
            if (function.text != name)
                return rebuild_call(tree, tree[arguments].items[0], tree[arguments].items[2], limits);
        }
        if (name == "collections OrderedDict" || name == "collections defaultdict" || name == "builtins dict" ||
            name == "__builtin__ dict") {
            return rebuild_dict(tree, arguments, limits);
        }
    }
    PickleValue object;
    object.kind = Kind::object;
    object.callee = callee;
    object.arguments = arguments;
    return object;
}

}  // namespace longbow
