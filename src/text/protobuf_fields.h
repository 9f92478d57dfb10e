// Reads the fields of a serialized protocol buffer one by one (protobuf.dev/programming-guides/encoding), for the few
// that concern us of a sentencepiece model, whose schema the library does not install.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace longbow {

struct ProtobufField {
    std::uint32_t number = 0;
    std::uint64_t whole = 0;  // of a varint
    std::string_view bytes;   // of a text, bytes or a message
    float real = 0;           // of 32 bits
};

// Calls `visit` for each field of the message. Returns whether the message could be read to its end.
bool for_each_protobuf_field(std::string_view message, const std::function<void(const ProtobufField&)>& visit);

}  // namespace longbow
