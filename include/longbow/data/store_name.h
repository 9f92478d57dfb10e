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

// Returns the data set, of those that scripts/corpora make, whose name is a word of the path's last two parts:
// "wikitext103" for data/corpora/wikitext103/store. Returns "" if they name none, or several. What lies further up,
// such as a home directory, says nothing about the text.
std::string data_set_of(const std::filesystem::path& path);
// Returns the data set that all of these files' paths name; "" if they do not agree.
std::string data_set_of(const std::vector<std::string>& files);

// Of text files: their names; of many the first and how many more; "piped text" for what has no name.
std::string text_name(const std::vector<std::string>& files);

}  // namespace longbow
