// Tests the tables of other papers: that their files are read and refused rightly, and that each number has a source.
#include "longbow/paper/other_papers.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "longbow/core/error.h"

namespace longbow {
namespace {

using testing::HasSubstr;

const OtherTable& named(const std::string& name) {
    const auto* table = find_other_table(name);
    if (table == nullptr) throw Error("no table " + name);
    return *table;
}

std::string cell(const std::string& table, const std::string& method, std::int64_t length) {
    const auto& found = named(table);
    for (const auto& row : found.rows) {
        for (std::size_t i = 0; row.method == method && i < found.lengths.size(); ++i) {
            if (found.lengths[i] == length)
                return row.values[i].text + (row.spread.empty() ? "" : " ± " + row.spread[i]);
        }
    }
    return "no such cell";
}

TEST(OtherPapers, EachTableHasASourceAndNumbers) {
    EXPECT_THAT(other_table_names(), testing::UnorderedElementsAre(
                                         "kerple-owt2", "kerple-github", "kerple-arxiv", "fox-longcrawl64", "pi-pg19",
                                         "pi-proofpile", "yarn-llama2-8k", "yarn-llama2-128k", "yarn-mistral"));
    for (const auto& table : other_tables()) {
        EXPECT_THAT(table.source, testing::AnyOf(HasSubstr("arXiv "), HasSubstr("github.com/"))) << table.name;
        EXPECT_FALSE(table.recipe.empty() || table.authors.empty() || table.text.empty()) << table.name;
        EXPECT_GT(table.number, 0) << table.name;
        EXPECT_TRUE(std::is_sorted(table.lengths.begin(), table.lengths.end())) << table.name;
        std::set<std::string> methods;
        for (const auto& row : table.rows) {
            EXPECT_TRUE(methods.insert(row.method).second) << table.name << " " << row.method;
            EXPECT_EQ(row.values.size(), table.lengths.size());
            EXPECT_TRUE(std::any_of(row.values.begin(), row.values.end(),
                                    [](const PublishedCell& value) {
                                        return value.kind == PublishedCell::Kind::number && value.value > 1;
                                    }))
                << table.name << " " << row.method;
        }
    }
}

// From the papers' text: KERPLE's Table 3, FoX' Table 3, PI's Tables 1 and 2, and what YaRN's Tables 1, 2 and 6 print
// of the authors' files.
TEST(OtherPapers, CellsPickedByHand) {
    EXPECT_EQ(cell("kerple-owt2", "KERPLE (log)", 16384), "21.4 ± 0.6");
    EXPECT_EQ(cell("kerple-owt2", "T5", 8192), "25.5 ± 1.3");
    EXPECT_EQ(cell("kerple-owt2", "Sinusoidal", 2048), "5507 ± 2607");
    EXPECT_EQ(cell("kerple-github", "KERPLE (power)", 512), "3.42 ± 0.20");
    EXPECT_EQ(cell("kerple-github", "Rotary", 4096), "11.1 ± 1.55");
    EXPECT_EQ(cell("kerple-arxiv", "ALiBi", 4096), "5.87 ± 0.08");
    EXPECT_EQ(cell("kerple-arxiv", "KERPLE (log)", 8192), "5.01 ± 0.10");
    EXPECT_EQ(cell("fox-longcrawl64", "FoX (LLaMA)", 16384), "7.25");
    EXPECT_EQ(cell("fox-longcrawl64", "Transformer (LLaMA)", 16384), "7.49");
    EXPECT_EQ(cell("pi-pg19", "7B, none, 2048", 4096), ">10^3");
    EXPECT_EQ(cell("pi-pg19", "7B, PI, 8192", 8192), "6.95");
    EXPECT_EQ(cell("pi-pg19", "13B, PI, 32768", 32768), "6.09");
    EXPECT_EQ(cell("pi-proofpile", "7B, PI, 32768", 32768), "2.48");
    const std::tuple<const char*, const char*, std::int64_t, double> printed[] = {
        {"yarn-llama2-8k", "PI", 8192, 3.34},
        {"yarn-llama2-8k", "NTK-aware", 2048, 4.20},
        {"yarn-llama2-8k", "PI", 10240, 8.07},
        {"yarn-llama2-128k", "7B, YaRN, 128k", 131072, 2.37},
        {"yarn-llama2-128k", "7B, PI, 32k", 8192, 3.51},
        {"yarn-llama2-128k", "13B, YaRN, 64k", 65536, 2.29},
        {"yarn-mistral", "Mistral 7B v0.1", 16384, 36.8},
        {"yarn-mistral", "YaRN, 128k", 131072, 2.19},
    };
    for (const auto& [table, method, length, value] : printed) {
        EXPECT_NEAR(std::stod(cell(table, method, length)), value, value > 10 ? 0.05 : 0.0051)
            << table << " " << method << " " << length;
    }
}

const char* const kPaper = R"(
paper: {short: P, authors: A and B, title: T}
recipe: theirs
configs: p
tables:
  - {name: p-one, number: 1, caption: c, source: "arXiv 1, Table 1", corpus: x, text: a text, store: s, split: valid,
     train_length: 8, seeds: [1], lengths: [8, 16], rows: [{method: M, config: m, values: [2.5, null], spread: [0.1, 0]}]}
)";

TEST(OtherPapers, FilesAreReadOrRefusedByName) {
    const auto tables = read_other_tables(kPaper);
    ASSERT_EQ(tables.size(), 1U);
    EXPECT_EQ(tables[0].rows[0].values[0].decimals, 1);
    EXPECT_EQ(tables[0].rows[0].values[1].kind, PublishedCell::Kind::empty);
    EXPECT_TRUE(tables[0].trained_here());
    const auto refused = [](const std::string& before, const std::string& after, const std::string& message) {
        auto text = std::string(kPaper);
        text.replace(text.find(before), before.size(), after);
        try {
            read_other_tables(text);
            ADD_FAILURE() << after << " is accepted";
        } catch (const DataError& error) {
            EXPECT_THAT(error.what(), HasSubstr(message));
        }
    };
    refused("source: \"arXiv 1, Table 1\", ", "", "p-one: source is missing");
    refused("recipe: theirs", "", "p-one: recipe is missing");
    refused("[2.5, null]", "[2.5]", "p-one, M: 1 values for 2 lengths");
    refused("[0.1, 0]", "[0.1]", "p-one, M: 1 in spread for 2 values");
    refused("configs: p\n", "", "p-one: evaluate is missing");
    refused("config: m", "config: m, checkpoint: org/m", "config is for models that are trained here");
    refused("train_length: 8, ", "", "a table of data/paper");
    try {
        read_other_tables(std::string(kPaper) + "\n---\n" + kPaper);
        ADD_FAILURE() << "a name is taken twice";
    } catch (const DataError& error) {
        EXPECT_THAT(error.what(), HasSubstr("p-one: two tables"));
    }
}

}  // namespace
}  // namespace longbow
