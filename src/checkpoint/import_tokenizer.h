// The tokenizer of a public model.
#pragma once

#include <memory>

#include "longbow/checkpoint/import.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/text/bos.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

// Opens the tokenizer that the request names, or else the model's own; with ids_boundary one that knows ids alone.
// Throws DataError with the remedy, CheckpointError if it has more ids than the model, UsageError for a boundary beyond
// the model's ids.
std::unique_ptr<Tokenizer> open_imported_tokenizer(const PublicImportRequest& request, const ForeignModel& model);

// What the model's family does with a BOS. Whether it has one is the tokenizer's to say: SmolLM is a Llama without.
Bos bos_of(const ForeignModel& model, const Tokenizer& tokenizer);

}  // namespace longbow
