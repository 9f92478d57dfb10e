// What people call a corpus: names beside fingerprints in rows of results.jsonl, titles and captions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// Of a token store: its folder's name, with the folder above where the name says only what it is: "mine" for data/mine, "austen/store" for
// data/corpora/austen/store.
std::string store_name(const std::filesystem::path& store);

// Of text files: their names; of many the first and how many more; "piped text" for what has no name.
std::string text_name(const std::vector<std::string>& files);

}  // namespace longbow
