// Tests the table that `longbow eval` prints and the names of its files of log-probabilities.
#include "cli/eval_output.h"

#include <gmock/gmock.h>

#include "longbow/core/strings.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<EvalResult> rows() {
    EvalResult row;
    row.name = "日本語/seed-1";
    row.position = "alibi";
    row.protocol = "paper";
    row.split = "valid";
    row.train_length = 64;
    row.length = row.stride = 1024;
    row.tokens = 126124;
    row.nll = 4.2455;
    row.ppl = 69.79;
    row.ppl_ci = Interval{67.91, 71.72};
    row.bits_per_byte = 1.9431;
    row.ppl_per_word = 287.45;
    row.tokens_per_second = 30100;
    row.peak_memory_mb = 312;
    row.updates = 400;
    return {row};
}

TEST(EvalTable, FitsTheTerminal) {
    for (const int width : {20, 40, 80, 200}) {
        const auto lines = split(eval_table(rows(), width), '\n');
        for (const auto& line : lines) EXPECT_LE(display_width(line), width) << line;
    }
    EXPECT_THAT(eval_table(rows(), 80), HasSubstr("stride"));
    EXPECT_THAT(eval_table(rows(), 80), HasSubstr("columns omitted"));
    EXPECT_THAT(eval_table(rows(), 40), HasSubstr("67.91 to 71.72"));
    EXPECT_THAT(eval_table(rows(), 20), HasSubstr("69.79"));
    EXPECT_THAT(eval_table(rows(), 20), Not(HasSubstr("126,124")));
    for (const auto* heading : {"length", "stride", "tokens", "nll", "ppl", "95 % interval", "bits/byte", "ppl/word",
                                "tokens/s", "tensors MB"}) {
        EXPECT_THAT(eval_table(rows(), 200), HasSubstr(heading));
        EXPECT_THAT(eval_table(rows()), HasSubstr(heading)) << "a pipe gets all";
    }
}

}  // namespace
}  // namespace longbow
