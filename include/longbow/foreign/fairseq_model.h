// Reads a checkpoint of a language model of fairseq's transformer_lm family as a model of Longbow: a configuration, and
// for each of our tensors the place of its elements in the file. It reads settings and shapes only and needs no
// LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/foreign/torch_file.h"

namespace longbow {

struct ImportedTensor {
    std::string name;     // Longbow's name, as in LanguageModel::stored_tensors()
    std::string source;   // fairseq's name
    PickleTensor tensor;  // has Longbow's shape, as a transposed or partial view where they differ
};

struct FairseqModel {
    Config config;                        // model, position and train.length are set; the rest has its defaults
    std::int64_t vocab_size = 0;          // rows of the embedding, all bands together
    std::int64_t updates = 0;             // updates of its training; 0 where the file does not say
    std::string architecture;             // fairseq's name for it; empty where the file does not say
    std::vector<ImportedTensor> tensors;  // every tensor of the model, each once
};

// Returns the position methods that can be imported: the values that read_fairseq_model() takes as `position`.
const std::vector<std::string>& fairseq_positions();

// Reads the model. `position` is the method that it was trained with, which the file does not say. Throws UsageError
// for an unknown method, and CheckpointError when the file is no checkpoint of fairseq, no model of this family, or has
// parts that Longbow does not have; when tensors are missing, left over or of the wrong shape; when tied tensors
// differ; and when it shows signs of another position method.
FairseqModel read_fairseq_model(const TorchFile& file, const std::string& position);

// Returns why a dictionary (the text of dict.txt without its specials) cannot be the one that the model was trained
// with, or an empty text when it can.
std::string dictionary_mismatch(const std::string& dictionary, const FairseqModel& model);

}  // namespace longbow
