// Encoding a file of a line must not cost more than the line: counted in bytes allocated, which no clock and no load changes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include "../../../src/data/encode_pipeline.h"
#include "fake_tokenizers.h"

namespace {
std::atomic<std::size_t> allocated{0};
}

void* operator new(std::size_t size) {
    allocated += size;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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
            std::ofstream(files.back()) << (ending == ".txt" ? "file the old harbour\n" : "{\"text\": \"the old harbour\"}\n");
        }
        const auto bytes_of = [&](std::size_t count) {
            const std::vector<std::string> some(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(count));
            const auto before = allocated.load();
            encode_files({tokenizer, some, documents}, {[](const EncodedChunk&, const EncodeCursor&) {}});
            return allocated.load() - before;
        };
        const auto few = bytes_of(50), many = bytes_of(100);
        EXPECT_LT((many - std::min(few, many)) / 50, kMost) << ending;
    }
    fs::remove_all(home);
}

}  // namespace
}  // namespace longbow
