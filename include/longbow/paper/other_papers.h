// Gives access to tables that other papers than the ALiBi paper have published (data/paper/NAME.yaml, a file a paper),
// compiled into the binary. A paper is added with such a file and with configurations for what is trained here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/paper/published.h"

namespace longbow {

struct OtherRow {
    std::string method;      // as the paper calls it
    std::string config;      // "log": the configuration below OtherTable::configs that trains it; empty: there is none
    std::string checkpoint;  // where the model is published; empty: nowhere
    std::vector<PublishedCell> values;  // one for each of the table's lengths
    std::vector<std::string> spread;    // what is printed behind each ±; empty: nothing
};

struct OtherTable {
    std::string name;  // "kerple-owt2"
    int number = 0;
    std::string paper, authors;         // "KERPLE", "Chi, .., NeurIPS 2022"
    std::string caption, source;        // where the numbers were read
    std::string recipe;                 // what the models' settings were taken from
    std::string corpus, text;           // the data set's name in rows, and in words what it is
    std::string configs;                // folder below configs/; empty: nothing is trained here
    std::string store, split;           // of models that are trained here
    std::string evaluate;               // flags of `longbow eval` for the other models, as the authors measure
    std::int64_t train_length = 0;      // of models that are trained here
    std::int64_t windows = 0;           // that are scored at each length; 0: as many as the split has
    std::vector<std::uint64_t> seeds;   // of models that are trained here
    std::vector<std::int64_t> lengths;  // tokens of a window, ascending
    std::vector<OtherRow> rows;
    [[nodiscard]] bool trained_here() const { return !configs.empty(); }
};

// Reads tables from YAML, a document a paper. Throws DataError that names the table and the key: a table without a
// source, a row with more or fewer values than lengths, a name that is taken.
std::vector<OtherTable> read_other_tables(const std::string& text);

const std::vector<OtherTable>& other_tables();
std::vector<std::string> other_table_names();
// Returns nullptr if there is no such table.
const OtherTable* find_other_table(std::string_view name);

}  // namespace longbow
