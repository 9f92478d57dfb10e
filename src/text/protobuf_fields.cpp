#include "protobuf_fields.h"

#include <cstring>

namespace longbow {

namespace {

bool read_varint(std::string_view& message, std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !message.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(message.front());
        message.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

bool take(std::string_view& message, std::uint64_t size, std::string_view& part) {
    if (size > message.size()) return false;
    part = message.substr(0, static_cast<std::size_t>(size));
    message.remove_prefix(static_cast<std::size_t>(size));
    return true;
}

}  // namespace

bool for_each_protobuf_field(std::string_view message, const std::function<void(const ProtobufField&)>& visit) {
    while (!message.empty()) {
        std::uint64_t key = 0, size = 0;
        if (!read_varint(message, key)) return false;
        ProtobufField field;
        field.number = static_cast<std::uint32_t>(key >> 3);
        switch (key & 7) {
            case 0:
                if (!read_varint(message, field.whole)) return false;
                break;
            case 1:
                if (!take(message, 8, field.bytes)) return false;
                break;
            case 2:
                if (!read_varint(message, size) || !take(message, size, field.bytes)) return false;
                break;
            case 5:
                if (!take(message, 4, field.bytes)) return false;
                std::memcpy(&field.real, field.bytes.data(), sizeof field.real);
                break;
            default: return false;
        }
        visit(field);
    }
    return true;
}

}  // namespace longbow
