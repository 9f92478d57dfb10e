// Gives each test a folder of its own, removed at the end, and writes files in it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "longbow/core/error.h"

namespace longbow {

class Scratch : public ::testing::Test {
protected:
    Scratch() {
        const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
        folder_ = std::filesystem::temp_directory_path() / ("longbow-" + std::string(test->test_suite_name()) + "-" +
                                                            test->name() + "-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder_);
    }
    ~Scratch() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    std::string write(const std::string& name, const std::string& contents) {
        std::ofstream(folder_ / name, std::ios::binary) << contents;
        return (folder_ / name).string();
    }
    std::filesystem::path folder_;
};

// Returns the message of the DataError that `action` throws.
template <class Action>
std::string data_error(Action&& action) {
    try {
        action();
    } catch (const DataError& error) {
        return error.what();
    }
    return "no DataError";
}

}  // namespace longbow
