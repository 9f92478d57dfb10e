// Takes little-endian numbers and spans from untrusted bytes. Reading past the end throws CheckpointError.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "longbow/core/error.h"

namespace longbow {

class ByteReader {
public:
    // `what` names the bytes in messages: "model.pt" or "model.pt: archive/data.pkl".
    ByteReader(std::span<const std::byte> bytes, std::string what) : bytes_(bytes), what_(std::move(what)) {}

    [[nodiscard]] std::size_t position() const { return position_; }
    [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }
    [[nodiscard]] const std::string& what() const { return what_; }

    std::span<const std::byte> take(std::uint64_t count) {
        if (count > left()) {
            fail(fmt::format("it ends where {} more bytes are due", count - left()));
        }
        const auto part = bytes_.subspan(position_, static_cast<std::size_t>(count));
        position_ += static_cast<std::size_t>(count);
        return part;
    }
    std::string_view take_text(std::uint64_t count) {
        const auto part = take(count);
        return {reinterpret_cast<const char*>(part.data()), part.size()};
    }
    // Takes an unsigned integer of `count` bytes, at most 8.
    std::uint64_t number(std::size_t count) {
        std::uint64_t value = 0;
        const auto part = take(count);
        for (std::size_t i = 0; i < count; ++i) value |= std::to_integer<std::uint64_t>(part[i]) << (8 * i);
        return value;
    }
    std::uint8_t byte() { return std::to_integer<std::uint8_t>(take(1)[0]); }
    // Takes text up to the next line feed, and the line feed, which is not returned. Text longer than `limit` bytes is
    // an error.
    std::string_view line(std::size_t limit) {
        for (std::size_t length = 0; length < left() && length <= limit; ++length) {
            if (bytes_[position_ + length] == std::byte{'\n'}) {
                const auto text = take_text(length);
                take(1);
                return text;
            }
        }
        fail(left() > limit ? "a name in it is too long" : "it ends inside a name");
    }
    [[noreturn]] void fail(const std::string& reason) const {
        throw CheckpointError(fmt::format("{} is damaged at byte {}: ", what_, position_) + reason);
    }

private:
    std::span<const std::byte> bytes_;
    std::string what_;
    std::size_t position_ = 0;
};

}  // namespace longbow
