// A language model of fairseq's transformer_lm family, as its checkpoint has it, in the terms of our own: a configuration, and for each of
// our tensors the place of its elements in the file. Reads settings and shapes only; no LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/foreign/torch_file.h"

namespace longbow {

struct ImportedTensor {
    std::string name;     // ours, as LanguageModel::stored_tensors() has it
    std::string source;   // theirs
    PickleTensor tensor;  // with our sizes: transposed or cut out of a larger one where need be
};

struct FairseqModel {
    Config config;                        // model, position, train.length; the rest as by default
    std::int64_t vocab_size = 0;          // rows of the embedding, all bands together
    std::int64_t updates = 0;             // that it was trained for, 0 where the file does not say
    std::string architecture;             // its name in fairseq, empty where the file does not say
    std::vector<ImportedTensor> tensors;  // every tensor of the model, once
};

// Methods that can be imported: what `position` of read_fairseq_model() may be.
const std::vector<std::string>& fairseq_positions();

// `position`: the method that the model was trained with, which the file does not say. Throws CheckpointError: no checkpoint of fairseq,
// no model of this family or with parts that this program has no counterpart for, tensors missing, left over or of the wrong shape, tied
// tensors that differ, signs of another position method; UsageError for an unknown method.
FairseqModel read_fairseq_model(const TorchFile& file, const std::string& position);

// Why a dictionary (the text of dict.txt without its specials) cannot be the one that the model was trained with; empty: it can.
std::string dictionary_mismatch(const std::string& dictionary, const FairseqModel& model);

}  // namespace longbow
