// Writes a model of ours as a class of transformers: which class holds exactly what the configuration computes, its
// config.json, and for each of its tensors where our elements go. It handles settings and shapes, no values, and needs
// no LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/core/json.h"

namespace longbow {

// One of our tensors within a tensor of a file: its elements in row-major order are those of the view of the file's
// (PlacedTensor).
struct ExportedPart {
    std::string ours;
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes, strides;
    bool unchanged = false;  // ValueChange is for the other places of the tensor
};

// A tensor to write. Elements that no part gives are 0.
struct ExportedTensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<ExportedPart> parts;
};

// What happens to our values first. Nothing is rounded where all members have their defaults or only rows move.
struct ValueChange {
    double factor = 1.0, summand = 0.0;
    // Pairs of neighbours become pairs of halves: in each of `heads` equal groups of rows, of the first `turned` rows
    // row 2k becomes row k, and row 2k + 1 row turned / 2 + k. `to_neighbours`: the other way round.
    std::int64_t heads = 0, turned = 0;
    bool to_neighbours = false;
};

struct HfExport {
    std::string type;        // model_type: "gpt_neox"
    std::string class_name;  // "GPTNeoXForCausalLM"
    Json config;             // config.json, without the type of the weights
    std::vector<ExportedTensor> tensors;
    std::map<std::string, ValueChange> changes;  // by our name
    // The value of all elements of those tensors that our model does not have and the class does: biases and tables
    // of 0, weights of norms that have none.
    std::map<std::string, double> constants;
    std::vector<std::string> notes;  // what else a user should know, in sentences
};

struct HfExportModel {
    const Config& config;  // complete, as a checkpoint has it
    std::int64_t vocab_size = 0;
    std::int64_t boundary = 0;  // the id that begins and ends documents
};

// Throws CheckpointError where no class holds the model. The message says which settings stand in the way of which
// class, and begins with `name`.
HfExport plan_hf_export(const HfExportModel& model, const std::string& name);

// What config.json of a model with our own code says (--custom-code): all settings of `model` and `position`, complete.
// `settings` is config_json() of the configuration. Throws CheckpointError for a position method, or an option of one,
// that this code does not have; the message begins with `name`.
Json custom_code_config(const HfExportModel& model, const Json& settings, const std::string& name);

struct HfClassInfo {
    std::string type, class_name;
    std::string holds;  // in words, for documentation and tests
};
std::vector<HfClassInfo> hf_classes();

}  // namespace longbow
