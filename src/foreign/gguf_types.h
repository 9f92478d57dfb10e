// The element types of GGUF. Quantized ones have blocks of elements, each with scales of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "longbow/foreign/gguf_output.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

// Writes the elements of one block.
using Dequantize = void (*)(const std::uint8_t* block, float* values);

struct GgufType {
    std::uint32_t number = 0;  // in the file
    const char* name = "";
    std::int64_t elements = 1;             // of a block
    std::int64_t bytes = 0;                // of a block
    PickleDtype dtype = PickleDtype::f32;  // of the elements as they are read
    Dequantize dequantize = nullptr;       // null: the elements are in the file as they are read
};

// Returns null for a type that is not known.
const GgufType* gguf_type(std::uint32_t number);
// Returns the name of a type that exists and is not read, or its number.
std::string gguf_type_name(std::uint32_t number);

// The number of a type that is written.
std::uint32_t gguf_type_number(GgufWeights weights);

// gguf_quants.cpp: blocks of 32 elements.
void dequantize_q4_0(const std::uint8_t* block, float* values);
void dequantize_q4_1(const std::uint8_t* block, float* values);
void dequantize_q5_0(const std::uint8_t* block, float* values);
void dequantize_q5_1(const std::uint8_t* block, float* values);
void dequantize_q8_0(const std::uint8_t* block, float* values);
// gguf_k_quants.cpp: blocks of 256 elements, with scales of parts of 16 or 32 that are quantized too.
void dequantize_q2_k(const std::uint8_t* block, float* values);
void dequantize_q3_k(const std::uint8_t* block, float* values);
void dequantize_q4_k(const std::uint8_t* block, float* values);
void dequantize_q5_k(const std::uint8_t* block, float* values);
void dequantize_q6_k(const std::uint8_t* block, float* values);
void dequantize_q8_k(const std::uint8_t* block, float* values);

}  // namespace longbow
