// What models are called in tables and figures.
#pragma once

#include "table_cells.h"

namespace longbow {

// A model's name: its run's; of several seeds what their names share ("alibi" of "alibi/seed-1" and "alibi/seed-2").
std::string name_of_seeds(const Seeds& seeds);

// Gives each row a label that no other has: the position method when that tells the rows apart; then with the training length, the run's
// name, the update, and at last what the fingerprints say.
void label_rows(ReportTable& table);

}  // namespace longbow
