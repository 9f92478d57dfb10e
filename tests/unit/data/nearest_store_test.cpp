// Tests what is suggested in place of a store that does not exist.
#include "longbow/data/nearest_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "longbow/core/files.h"

namespace longbow {
namespace {

class NearestStore : public ::testing::Test {
protected:
    NearestStore() : top_(fs::path(testing::TempDir()) / ("longbow_nearest_" + std::to_string(getpid()))) {
        for (const auto* store : {"data/mine", "data/corpora/austen/store", "data/corpora/other/store"}) make(store);
        fs::create_directories(top_ / "data/empty");
        make("data/minor");
        std::ofstream(top_ / "data/minor/model.safetensors") << "";  // a checkpoint has a manifest.json too
    }
    ~NearestStore() override { fs::remove_all(top_); }
    void make(const std::string& store) const {
        fs::create_directories(top_ / store);
        std::ofstream(top_ / store / "manifest.json") << "{}";
    }
    // Returns the suggestion for a path below the folder, with the folder's own path removed.
    [[nodiscard]] std::string of(const std::string& path) const {
        auto text = store_suggestion(top_ / path);
        for (auto at = text.find(top_.string()); at != std::string::npos; at = text.find(top_.string()))
            text.erase(at, top_.string().size() + 1);
        return text;
    }
    fs::path top_;
};

TEST_F(NearestStore, IsNearInThePartThatIsNotThere) {
    EXPECT_EQ(of("data/mien"), "; did you mean data/mine?");
    EXPECT_EQ(of("data/mine2"), "; did you mean data/mine?");
    EXPECT_EQ(of("data/mien/"), "; did you mean data/mine?");
    EXPECT_EQ(of("dta/mine"), "; did you mean data/mine?");
    EXPECT_EQ(of("data/corpora/asten/store"), "; did you mean data/corpora/austen/store?");
    EXPECT_EQ(of("data/corpora/austen/stroe"), "; did you mean data/corpora/austen/store?");
    EXPECT_EQ(of("data/minr"), "; did you mean data/mine?") << "not the checkpoint, which is nearer";
}

TEST_F(NearestStore, OrAllThatAreThere) {
    EXPECT_EQ(of("data/something-else"), "; the stores there: data/mine");
    EXPECT_EQ(of("data/corpora/unlike-any/store"),
              "; the stores there: data/corpora/austen/store, data/corpora/other/store");
    EXPECT_EQ(of("data/corpora/austen"), "; the stores in it: data/corpora/austen/store");
    EXPECT_EQ(of("data/empty/x"), "");
    EXPECT_EQ(of("data/empty"), "");
    EXPECT_EQ(of("nowhere/at/all"), "");
    EXPECT_EQ(store_suggestion(""), "");
    for (int i = 0; i < 8; ++i) make("many/store-number-" + std::to_string(i));
    const auto many = of("many/unlike");
    EXPECT_NE(many.find("store-number-4"), std::string::npos);
    EXPECT_EQ(many.find("store-number-5"), std::string::npos);
}

}  // namespace
}  // namespace longbow
