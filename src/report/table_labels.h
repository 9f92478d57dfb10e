// Chooses the names of models in tables and figures.
#pragma once

#include "table_cells.h"

namespace longbow {

// Returns a model's name: that of its run, or for several seeds the part that their names share ("alibi" of
// "alibi/seed-1" and "alibi/seed-2").
std::string name_of_seeds(const Seeds& seeds);

// Gives each row a unique label: the position method if that tells the rows apart; else, in turn, with the training
// length, the run's name, the update, and finally the fingerprints.
void label_rows(ReportTable& table);

}  // namespace longbow
