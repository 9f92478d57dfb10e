// Names a corpus for readers: these names stand beside fingerprints in rows of results.jsonl, in titles and in
// captions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// Returns the name of a token store's folder, preceded by the folder above when it is as general as "store" or "data":
// "mine" for data/mine, "austen/store" for data/corpora/austen/store.
std::string store_name(const std::filesystem::path& store);

// Returns the names of the first three text files and the number of further ones. A pipe or device, which has no name
// of its own, is called "piped text".
std::string text_name(const std::vector<std::string>& files);

}  // namespace longbow
