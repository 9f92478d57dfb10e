// Files and texts of the golden checkpoints, of which LONGBOW_GOLDEN_HF names the folder, and small tokenizer.json
// files made here.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/text/hf_tokenizer.h"

namespace longbow::test {

// The folders that hold a tokenizer.json and expected.json, in order.
inline std::vector<fs::path> golden_folders() {
    const auto* named = std::getenv("LONGBOW_GOLDEN_HF");
    const fs::path top = named != nullptr ? fs::path(named) : fs::path(LONGBOW_TEST_DATA "/golden/hf");
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(top)) {
        const auto& folder = entry.path();
        if (fs::exists(folder / "tokenizer.json") && fs::exists(folder / "expected.json")) folders.push_back(folder);
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

inline std::vector<TokenId> ids_of(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    return ids;
}

}  // namespace longbow::test
