// Tests the name by which a report calls a corpus.
#include "longbow/data/store_name.h"

#include <gtest/gtest.h>

namespace longbow {
namespace {

TEST(StoreName, IsTheFolderOrWhatTellsMore) {
    EXPECT_EQ(store_name("data/mine"), "mine");
    EXPECT_EQ(store_name("data/mine/"), "mine");
    EXPECT_EQ(store_name("data/corpora/austen/store"), "austen/store");
    EXPECT_EQ(store_name("data/corpora/austen/./store/"), "austen/store");
    EXPECT_EQ(store_name("/store"), "store");
}

TEST(StoreName, ADataSetIsThatOfThePath) {
    EXPECT_EQ(data_set_of("data/corpora/wikitext103/store"), "wikitext103");
    EXPECT_EQ(data_set_of("/scratch/cc100-bpe"), "cc100");
    EXPECT_EQ(data_set_of("data/corpora/austen/valid.txt"), "austen");
    EXPECT_EQ(data_set_of("data/mine"), "");
    EXPECT_EQ(data_set_of("cc100/bookcorpus"), "") << "either";
    EXPECT_EQ(data_set_of("data/corpora/austen/./store/"), "austen");
    EXPECT_EQ(data_set_of("/home/austen/texts/mine"), "") << "a home directory is no data set";
    EXPECT_EQ(data_set_of("data/austenite/store"), "") << "part of a word";
}

TEST(StoreName, ADataSetIsThatOfAllFiles) {
    const std::vector<std::string> agreeing{"cc100/valid.txt", "cc100/test.txt"}, mixed{"cc100/valid.txt", "mine.txt"};
    EXPECT_EQ(data_set_of(agreeing), "cc100");
    EXPECT_EQ(data_set_of(mixed), "");
}

TEST(StoreName, OfTextFiles) {
    EXPECT_EQ(text_name({"my.txt"}), "my.txt");
    EXPECT_EQ(text_name({"a/b.txt", "c.txt"}), "b.txt + c.txt");
    EXPECT_EQ(text_name({"1", "2", "3", "4", "5"}), "1 + 2 + 3 + 2 more");
    EXPECT_EQ(text_name({"/dev/fd/63"}), "piped text");
    EXPECT_EQ(text_name({"/dev/stdin"}), "piped text");
}

}  // namespace
}  // namespace longbow
