// Tests metrics.jsonl and TensorBoard's event files when a run continues.
#include "longbow/telemetry/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "longbow/core/files.h"
#include "longbow/telemetry/tensorboard.h"

namespace longbow {
namespace {

class Metrics : public ::testing::Test {
protected:
    fs::path folder = fs::temp_directory_path() / ("longbow-metrics-" + std::to_string(::getpid()));
    void SetUp() override { fs::create_directories(folder); }
    void TearDown() override { fs::remove_all(folder); }
};

TEST_F(Metrics, DropsTheRowsOfUpdatesThatAreDoneAgainAndALineCutShort) {
    const auto path = folder / "metrics.jsonl";
    std::ofstream(path) << "{\"update\":1,\"loss\":0.1}\n{\"update\":2}\n{\"update\":3}\n{\"upda";
    {
        MetricsFile file(path, [](const Json& row) { return row["update"] <= 2; });
        EXPECT_EQ(file.kept().size(), 2u);
        file.append({{"update", 3}, {"loss", 0.25}});
        file.sync();
    }
    EXPECT_EQ(read_file(path), "{\"update\":1,\"loss\":0.1}\n{\"update\":2}\n{\"update\":3,\"loss\":0.25}\n");
}

TEST_F(Metrics, AKeptRowIsTheSameText) {
    const std::string row = Json{{"loss", 0.1 + 0.2}, {"ppl", 59.123456789012345}, {"update", 7}}.dump() + "\n";
    const auto path = folder / "metrics.jsonl";
    std::ofstream(path) << row;
    MetricsFile file(path, [](const Json&) { return true; });
    EXPECT_EQ(read_file(path), row);
}

// CRC-32C values of RFC 3720, B.4 (32 zero bytes: 0x8a9136aa; 32 bytes of ones: 0x62a8ab43), masked as TFRecord masks
// them.
TEST(TensorBoard, MaskedCrc) {
    const auto masked = [](std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; };
    EXPECT_EQ(masked_crc32c(std::string(32, '\0')), masked(0x8a9136aau));
    EXPECT_EQ(masked_crc32c(std::string(32, '\xff')), masked(0x62a8ab43u));
}

TEST_F(Metrics, ANewEventFileTakesTheOldOnesPlace) {
    for (int i = 0; i < 2; ++i) {
        EventFile file(folder);
        write_scalars(file, {{"event", "train"}, {"update", 3}, {"loss", 2.5}});
        file.flush();
    }
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
    EXPECT_EQ(names, std::vector<std::string>{"events.out.tfevents.0000000002.longbow"});
}

}  // namespace
}  // namespace longbow
