#include "longbow/core/installation.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "longbow/core/files.h"

namespace longbow {
namespace {

// A prefix with one configuration. The process works in an empty folder beside it.
class Installation : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "longbow-installation-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        home_ = fs::canonical(name);
        before_ = fs::current_path();
        fs::create_directories(home_ / "prefix/share/longbow/configs/demo");
        fs::create_directories(home_ / "here");
        write_file_atomic(installed(), "");
        fs::current_path(home_ / "here");
    }
    void TearDown() override {
        set_installation({}, {});
        fs::current_path(before_);
        fs::remove_all(home_);
    }
    [[nodiscard]] fs::path installed() const { return home_ / "prefix/share/longbow/configs/demo/alibi.yaml"; }

    fs::path home_, before_;
};

TEST_F(Installation, IsNoneInABuildFolder) {
    EXPECT_TRUE(installed_share().empty());
    EXPECT_TRUE(installed_schema().empty());
    EXPECT_EQ(choose_config("demo/alibi.yaml").path, "demo/alibi.yaml");
    EXPECT_FALSE(is_installed_config(installed().string()));
    EXPECT_EQ(torch_library("libtorch_cuda.so"), "libtorch_cuda.so");
    EXPECT_EQ(own_library("a.so").parent_path(), fs::read_symlink("/proc/self/exe").parent_path());
}

TEST_F(Installation, HasItsPartsInThePrefix) {
    set_installation(home_ / "prefix", "/torch/lib");
    EXPECT_EQ(own_library("a.so"), home_ / "prefix/lib/a.so");
    EXPECT_EQ(torch_library("libtorch_cuda.so"), "/torch/lib/libtorch_cuda.so");
    EXPECT_EQ(installed_schema(), home_ / "prefix/share/longbow/longbow.schema.json");
}

TEST_F(Installation, NamesOfConfigurations) {
    set_installation(home_ / "prefix", "/torch/lib");
    for (const std::string name : {"demo/alibi.yaml", "configs/demo/alibi.yaml"}) {
        const auto choice = choose_config(name);
        EXPECT_EQ(choice.path, installed().string());
        EXPECT_EQ(choice.note, name + ": not here, taking the installed " + installed().string());
        EXPECT_TRUE(is_installed_config(choice.path));
    }
    for (const std::string name : {"", "demo/none.yaml", "/demo/alibi.yaml"}) {
        EXPECT_EQ(choose_config(name).path, name);
        EXPECT_EQ(choose_config(name).note, "");
    }
    fs::create_directory("demo");
    write_file_atomic("demo/alibi.yaml", "");
    EXPECT_EQ(choose_config("demo/alibi.yaml").path, "demo/alibi.yaml");
    EXPECT_EQ(choose_config("demo/alibi.yaml").note,
              "demo/alibi.yaml: taking the one here, not the installed " + installed().string());
    EXPECT_FALSE(is_installed_config("demo/alibi.yaml"));
}

TEST_F(Installation, DataOfItsConfigurationsLieInTheCache) {
    ::setenv("LONGBOW_CACHE", "/cache", 1);
    EXPECT_EQ(installed_data_path("data/corpora/austen/store"), "/cache/data/corpora/austen/store");
    EXPECT_EQ(installed_data_path("/mine/store"), "/mine/store");
    EXPECT_EQ(installed_data_path(""), "");
}

}  // namespace
}  // namespace longbow
