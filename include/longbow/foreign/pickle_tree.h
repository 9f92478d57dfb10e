// The contents of a Python pickle as inert values: nothing is imported, called or executed. An object of an unknown
// class keeps the name of its class, its arguments, its state and its items.
//
// Values live in one arena and refer to each other by index, so that a cyclic pickle leaks no memory and a deep one
// needs no recursion.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

using PickleId = std::uint32_t;
inline constexpr PickleId kNoPickle = 0xffffffff;

struct PickleValue {
    enum class Kind : std::uint8_t {
        none,
        boolean,  // integer: 0 or 1
        integer,
        big_integer,  // text: little-endian two's complement
        real,
        text,  // UTF-8, not checked
        bytes,
        list,
        tuple,
        set,
        dict,     // items: key, value, key, value ..; of equal keys the last counts
        global,   // text: "module name", a class or a function
        object,   // of an unknown class, or the result of an unknown call
        storage,  // integer: index into PickleTree::storages
        tensor,   // integer: index into PickleTree::tensors
    };
    Kind kind = Kind::none;
    std::int64_t integer = 0;
    double real = 0.0;
    std::string text;
    std::vector<PickleId> items;
    PickleId callee = kNoPickle;     // object: its class or the function called
    PickleId arguments = kNoPickle;  // object: a tuple of the call's arguments
    PickleId state = kNoPickle;      // set by the BUILD opcode (objects, dicts)
};

// The element type of a tensor. Tensors of `unknown` type can be skipped but not read.
enum class PickleDtype : std::uint8_t {
    unknown,
    f64,
    f32,
    f16,
    bf16,
    i64,
    i32,
    i16,
    i8,
    u8,
    boolean,
    complex64,
    complex128
};
// Returns the bytes of an element, or 0 for `unknown`.
std::size_t size_of(PickleDtype dtype);
const char* name_of(PickleDtype dtype);

struct PickleStorage {
    std::string key;
    PickleDtype dtype = PickleDtype::unknown;
    std::int64_t elements = 0;
};

// A view of a storage. Element (i, j, ..) is at offset + i strides[0] + j strides[1] + .., counted in elements and
// always inside the storage.
struct PickleTensor {
    std::size_t storage = 0;
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes, strides;
    // Returns the number of elements; 0 if some size is 0.
    [[nodiscard]] std::int64_t elements() const;
};

struct PickleTree {
    std::vector<PickleValue> values;
    std::vector<PickleStorage> storages;
    std::map<std::string, std::size_t> storage_by_key;  // index into storages
    std::vector<PickleTensor> tensors;
    PickleId root = kNoPickle;

    [[nodiscard]] const PickleValue& operator[](PickleId id) const { return values.at(id); }
    // Returns the entry `key` of a dict, or the attribute `key` of an object (an argparse.Namespace, a dataclass), and
    // looks through omegaconf's nodes. Returns kNoPickle when there is none or `container` has no entries at all.
    [[nodiscard]] PickleId find(PickleId container, std::string_view key) const;
    // These return an entry as a C++ value, or nullopt when it is missing, None or of another type. real() also takes
    // integers, and integer() and boolean() take each other's.
    [[nodiscard]] std::optional<std::int64_t> integer(PickleId container, std::string_view key) const;
    [[nodiscard]] std::optional<double> real(PickleId container, std::string_view key) const;
    [[nodiscard]] std::optional<bool> boolean(PickleId container, std::string_view key) const;
    [[nodiscard]] std::optional<std::string> text(PickleId container, std::string_view key) const;
    // Describes a value for messages: "None", "a dict", "an object of class argparse.Namespace".
    [[nodiscard]] std::string describe(PickleId id) const;

private:
    [[nodiscard]] PickleId entry(PickleId dict, std::string_view key) const;
    [[nodiscard]] PickleId unwrapped(PickleId id) const;
};

// Quotes foreign text for a message: control characters and non-ASCII bytes become \xNN, and it is cut after 60 bytes.
std::string quote_foreign(std::string_view foreign);
// Returns whether the text is short and printable, so that quote_foreign() would only add quotation marks.
bool is_plain(std::string_view foreign);

}  // namespace longbow
