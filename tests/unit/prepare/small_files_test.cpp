// Tests that encoding a file of one line costs no more than the line. Costs are counted in bytes allocated, which do
// not depend on the clock or the load.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "allocated_bytes.h"
#include "prepare/encode_pipeline.h"
#include "unit/data/fake_tokenizers.h"

namespace longbow {
namespace {

constexpr std::size_t kMost = 32 << 10;

TEST(SmallFiles, EncodingOneFollowsItsSize) {
    namespace fs = std::filesystem;
    const auto home = fs::temp_directory_path() / ("longbow-small-files-" + std::to_string(::getpid()));
    fs::create_directories(home);
    const test::ByteTokenizer tokenizer;
    const DataConfig documents;
    for (const std::string ending : {".txt", ".jsonl"}) {
        std::vector<std::string> files;
        for (int i = 0; i < 100; ++i) {
            files.push_back((home / ("f" + std::to_string(i) + ending)).string());
            std::ofstream(files.back()) << (ending == ".txt" ? "file the old harbour\n"
                                                             : "{\"text\": \"the old harbour\"}\n");
        }
        const auto cost = [&](std::size_t count) {
            const std::vector<std::string> some(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(count));
            return test::bytes_of([&] {
                encode_files({tokenizer, some, documents}, {[](const EncodedChunk&, const EncodeCursor&) {}});
            });
        };
        const auto few = cost(50), many = cost(100);
        EXPECT_LT((many - std::min(few, many)) / 50, kMost) << ending;
    }
    fs::remove_all(home);
}

}  // namespace
}  // namespace longbow
