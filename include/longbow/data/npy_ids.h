// Token ids that somebody has made with a tokenizer of their own, in a NumPy file.
#pragma once

#include <filesystem>
#include <vector>

#include "longbow/text/tokenizer.h"

namespace longbow {

// Reads an .npy file (versions 1 to 3) that holds an array of one dimension, of any integer type and byte order.
// Throws DataError that names the file and the remedy: another format or shape, elements that are not integers, more
// or fewer bytes than the header says, an id that is negative or no TokenId, no ids at all; Error if it cannot be read.
std::vector<TokenId> read_npy_ids(const std::filesystem::path& path);

}  // namespace longbow
