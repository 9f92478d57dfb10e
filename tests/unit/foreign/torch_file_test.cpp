// Tests whole files: those that torch.save wrote (tests/golden), small ones made by hand, and damaged ones of both
// kinds.
#include "longbow/foreign/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "builder.h"

namespace longbow {
namespace {

using namespace test;
using testing::HasSubstr;

std::string golden_path(const std::string& name) {
    return std::string(LONGBOW_TEST_DATA) + "/golden/alibi_adaptive/" + name;
}

// {"model": {"w": a tensor [2, 3] of floats 0 .. 5, "t": its transpose}}
const std::string kPickle = pickle(dict({{"model", dict({{"w", tensor(storage("0", 6), 0, {2, 3}, {3, 1})},
                                                         {"t", tensor(storage("0", 6), 0, {3, 2}, {1, 3})}})}}));

std::string floats(int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
        const auto value = static_cast<float>(i);
        bytes.append(reinterpret_cast<const char*>(&value), 4);
    }
    return bytes;
}

std::vector<ZipEntry> zip_entries() {
    return {{"m/data.pkl", kPickle}, {"m/byteorder", "little"}, {"m/data/0", floats(6)}, {"m/version", "3\n"}};
}

std::string legacy(const std::string& object = kPickle, const std::string& storages = little(6, 8) + floats(6)) {
    return std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15) +
           pickle("M" + little(1001, 2)) +
           pickle(dict({{"protocol_version", "M" + little(1001, 2)}, {"little_endian", "\x88"}})) + object +
           pickle("](" + text("0") + "e") + storages;
}

// Reads all that the file holds, and returns the error's message or "no error".
std::string outcome(const std::string& file) {
    return error_of([&] {
        const auto torch = TorchFile::parse(bytes_of(file), "a.pt");
        const auto& tree = torch.tree();
        for (const auto& tensor : tree.tensors) {
            if (torch.contiguous(tensor).size() !=
                static_cast<std::size_t>(tensor.elements()) * size_of(tree.storages[tensor.storage].dtype)) {
                ADD_FAILURE() << "a tensor of another size than it says";
            }
        }
        for (PickleId id = 0; id < tree.values.size(); ++id) {
            if (const auto found = tree.find(id, "model"); found != kNoPickle && found >= tree.values.size())
                ADD_FAILURE() << "no such value";
        }
    });
}

std::vector<float> values_of(const TorchFile& file, const std::string& name) {
    const auto& tree = file.tree();
    const auto& value = tree[tree.find(tree.find(tree.root, "model"), name)];
    const auto bytes = file.contiguous(tree.tensors[static_cast<std::size_t>(value.integer)]);
    std::vector<float> values(bytes.size() / 4);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

TEST(TorchFile, BothContainers) {
    for (const auto& bytes : {zip(zip_entries()), zip(zip_entries(), true), legacy()}) {
        const auto file = TorchFile::parse(bytes_of(bytes), "a.pt");
        EXPECT_EQ(values_of(file, "w"), (std::vector<float>{0, 1, 2, 3, 4, 5}));
        EXPECT_EQ(values_of(file, "t"), (std::vector<float>{0, 3, 1, 4, 2, 5}));
    }
}

TEST(TorchFile, GoldenFilesHoldTheSameWeights) {
    const auto zip_file = TorchFile::open(golden_path("checkpoint.pt"));
    for (const char* other : {"checkpoint_legacy.pt", "checkpoint_oldstyle.pt", "checkpoint_fp16.pt"}) {
        const auto file = TorchFile::open(golden_path(other));
        const auto &tree = zip_file.tree(), &theirs = file.tree();
        const auto model = tree.find(tree.root, "model"), their_model = theirs.find(theirs.root, "model");
        int compared = 0;
        for (std::size_t i = 0; i + 1 < tree[model].items.size(); i += 2) {
            const auto& name = tree[tree[model].items[i]].text;
            if (name.ends_with("_float_tensor")) continue;  // uninitialised memory
            const auto& ours = tree.tensors.at(static_cast<std::size_t>(tree[tree[model].items[i + 1]].integer));
            const auto found = theirs.find(their_model, name);
            ASSERT_NE(found, kNoPickle) << name;
            const auto& tensor = theirs.tensors.at(static_cast<std::size_t>(theirs[found].integer));
            EXPECT_EQ(tensor.sizes, ours.sizes) << name;
            if (std::string(other) != "checkpoint_fp16.pt") {
                EXPECT_EQ(file.contiguous(tensor), zip_file.contiguous(ours)) << name;
            }
            ++compared;
        }
        EXPECT_EQ(compared, 46) << other;
    }
}

TEST(TorchFile, SaysWhatAFileIsNot) {
    EXPECT_THAT(outcome(""), HasSubstr("a.pt is empty"));
    EXPECT_THAT(outcome("hello"), HasSubstr("not a file of torch.save"));
    EXPECT_THAT(outcome(zip({{"word/document.xml", "x"}})), HasSubstr("torch.save did not write it"));
    auto entries = zip_entries();
    entries.push_back({"n/data.pkl", kPickle});
    EXPECT_THAT(outcome(zip(entries)), HasSubstr("two checkpoints"));
    entries.back().name = "m/constants.pkl";
    EXPECT_THAT(outcome(zip(entries)), HasSubstr("TorchScript"));
    entries = zip_entries();
    entries[1].contents = "big";
    EXPECT_THAT(outcome(zip(entries)), HasSubstr("big-endian"));
    EXPECT_THAT(error_of([] { TorchFile::open("/nonexistent/a.pt"); }), HasSubstr("/nonexistent/a.pt"));
}

TEST(TorchFile, StoragesMustBeThereAndFit) {
    auto entries = zip_entries();
    entries[2].contents = floats(5);
    EXPECT_THAT(outcome(zip(entries)),
                HasSubstr("storage \"0\" has 20 bytes, its pickle claims 6 elements of float32"));
    entries[2].name = "m/data/1";
    EXPECT_THAT(outcome(zip(entries)), HasSubstr("lacks the storage \"0\""));
    EXPECT_THAT(outcome(legacy(kPickle, little(5, 8) + floats(6))), HasSubstr("has another size"));
    EXPECT_THAT(outcome(legacy(pickle(dict({})))), HasSubstr("belongs to no tensor"));
    EXPECT_THAT(outcome(legacy(pickle("]" + storage("0", 6) + "a" + storage("1", 6) + "a"))),
                HasSubstr("\"1\" is missing"));
    const auto huge = std::int64_t{1} << 50;
    EXPECT_THAT(outcome(legacy(pickle(tensor(storage("0", huge), 0, {huge}, {1})), little(1ull << 50, 8))),
                HasSubstr("more bytes are due"));
}

TEST(TorchFile, ChecksumsCoverPickleAndStorages) {
    auto file = zip(zip_entries());
    file[file.find(floats(6)) + 9] ^= 4;
    EXPECT_THAT(outcome(file), HasSubstr("its storage \"0\" is damaged: its checksum is"));
    file = zip(zip_entries());
    file[file.find("OrderedDict")] ^= 1;
    EXPECT_THAT(outcome(file), HasSubstr("its record \"m/data.pkl\" is damaged: its checksum is"));
    auto entries = zip_entries();
    for (auto& entry : entries) entry.no_crc = true;  // torch.serialization.set_crc32_options(False)
    EXPECT_EQ(outcome(zip(entries)), "accepted");
}

TEST(TorchFile, EveryTruncationIsRefused) {
    for (const auto& whole : {zip(zip_entries()), zip(zip_entries(), true), legacy()}) {
        for (std::size_t size = 0; size < whole.size(); ++size)
            ASSERT_THAT(outcome(whole.substr(0, size)), HasSubstr("a.pt")) << size;
    }
    for (const char* name : {"checkpoint.pt", "checkpoint_legacy.pt"}) {
        const auto whole = read_file(golden_path(name));
        for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 300)
            ASSERT_THAT(outcome(whole.substr(0, size)), HasSubstr("a.pt")) << size;
    }
}

// Any outcome is right except a crash, a hang or an exception of another type.
TEST(TorchFile, FlippedBitsAreRefusedOrHarmless) {
    std::mt19937_64 random(7);
    for (const auto& whole : {zip(zip_entries()), zip(zip_entries(), true), legacy()}) {
        for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
            auto file = whole;
            file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << bit % 8));
            outcome(file);
        }
    }
    int refused = 0;
    for (const char* name : {"checkpoint.pt", "checkpoint_legacy.pt"}) {
        const auto whole = read_file(golden_path(name));
        for (int i = 0; i < 300; ++i) {
            auto file = whole;
            const auto flips = 1 + random() % 4;
            for (std::size_t flip = 0; flip < flips; ++flip)
                file[random() % file.size()] ^= static_cast<char>(1 << random() % 8);
            refused += outcome(file) != "accepted";
        }
    }
    EXPECT_GT(refused, 250) << "zip files have checksums";
}

}  // namespace
}  // namespace longbow
