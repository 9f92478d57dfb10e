#include "longbow/data/npy_ids.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/npy.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

template <class Integer>
std::vector<TokenId> ids_of(const char* data, std::size_t count, bool swapped, const fs::path& path) {
    std::vector<TokenId> ids(count);
    for (std::size_t i = 0; i < count; ++i) {
        unsigned char bytes[sizeof(Integer)];
        std::memcpy(bytes, data + i * sizeof(Integer), sizeof bytes);
        if (swapped) std::reverse(std::begin(bytes), std::end(bytes));
        Integer value{};
        std::memcpy(&value, bytes, sizeof value);
        bool fits = std::is_unsigned_v<Integer> || value >= Integer{};
        if constexpr (sizeof(Integer) >= sizeof(TokenId))
            fits = fits && static_cast<std::uint64_t>(value) <= std::numeric_limits<TokenId>::max();
        if (!fits)
            throw DataError(fmt::format("{}: {} at index {} is not a token id: ids are whole numbers from 0 on",
                                        path.string(), value, i));
        ids[i] = static_cast<TokenId>(value);
    }
    return ids;
}

template <class Signed>
std::vector<TokenId> ids_of(const NpyHeader& header, const char* data, std::size_t count, const fs::path& path) {
    const bool swapped = header.byte_order == '>' && std::endian::native == std::endian::little;
    return header.kind == 'i' ? ids_of<Signed>(data, count, swapped, path)
                              : ids_of<std::make_unsigned_t<Signed>>(data, count, swapped, path);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::vector<std::string> sizes;
    for (const auto size : shape) sizes.push_back(std::to_string(size));
    return "(" + join(sizes, ", ") + ")";
}

}  // namespace

std::vector<TokenId> read_npy_ids(const fs::path& path) {
    if (!fs::exists(path)) throw DataError(path.string() + ": no such file");
    if (!fs::is_regular_file(path))
        throw DataError(path.string() + " is not a file that can be mapped: write the array to a file first");
    const MappedFile file(path);
    const auto header = read_npy_header(file.text(), path);
    const auto size = header.item_size;
    if ((header.kind != 'i' && header.kind != 'u') || !(size == 1 || size == 2 || size == 4 || size == 8)) {
        throw DataError(path.string() + ": its elements are of type " + header.type() +
                        ", and token ids are integers: save ids.astype(numpy.int64)");
    }
    if (header.shape.size() != 1) {
        throw DataError(path.string() + ": its shape is " + shape_text(header.shape) +
                        ", and token ids have one dimension: save ids.ravel(), or a file for each text");
    }
    const auto count = static_cast<std::size_t>(header.shape.front());
    const auto bytes = file.size() - header.data_begin;
    if (bytes / size != count || bytes % size != 0) {
        throw DataError(fmt::format(
            "{}: {} bytes follow its header, which announces {} elements of {} bytes: "
            "save the array again",
            path.string(), with_commas(static_cast<std::int64_t>(bytes)), with_commas(header.shape.front()), size));
    }
    if (count == 0) throw DataError(path.string() + ": it holds no token ids");
    const auto* data = file.text().data() + header.data_begin;
    switch (size) {
        case 1: return ids_of<std::int8_t>(header, data, count, path);
        case 2: return ids_of<std::int16_t>(header, data, count, path);
        case 4: return ids_of<std::int32_t>(header, data, count, path);
        default: return ids_of<std::int64_t>(header, data, count, path);
    }
}

}  // namespace longbow
