// Recognizes public models on a command line.
#include "longbow/checkpoint/public_model.h"

#include <charconv>
#include <fstream>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::string_view kRounded = "rounded";
constexpr std::string_view kTrainLength = "train-length=";

bool is_gguf(const fs::path& path) {
    std::error_code error;
    // A pipe is not opened, since what is read from it would be lost.
    if (!fs::is_regular_file(path, error)) return false;
    if (path.extension() == ".gguf") return true;
    char first[4] = {};
    return std::ifstream(path, std::ios::binary).read(first, sizeof first) &&
           std::string_view(first, sizeof first) == kMagic;
}

bool is_model_folder(const fs::path& path) {
    std::error_code error;
    const auto has = [&](const char* name) { return fs::exists(path / name, error); };
    return has("config.json") && !has("checkpoints") && !(has("manifest.json") && has("model.safetensors"));
}

std::int64_t length_of(const std::string& text, std::string_view number) {
    std::int64_t length = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), length);
    if (error != std::errc{} || end != number.data() + number.size() || length < 1 || length > kLongestTrainLength)
        throw UsageError(text + ": train-length must be a whole number from 1 to " +
                         std::to_string(kLongestTrainLength));
    return length;
}

void read_options(const std::string& text, const std::string& options, PublicModel& model) {
    for (const auto& option : split(options, ',')) {
        if (option == kRounded && !model.is_file()) {
            model.rounded = true;
        } else if (starts_with(option, kTrainLength)) {
            model.train_length = length_of(text, std::string_view(option).substr(kTrainLength.size()));
        } else {
            throw UsageError(text + ": '" + option + "' is no option of a public model" +
                             (model.is_file() ? " in a file: @train-length=N is the only one"
                                              : "; there are @rounded and @train-length=N (docs/import.md)"));
        }
    }
}

}  // namespace

bool PublicModel::is_file() const {
    std::error_code error;
    return !fs::is_directory(place, error);
}

std::string PublicModel::options() const {
    std::vector<std::string> options;
    if (rounded) options.emplace_back(kRounded);
    if (train_length) options.push_back(std::string(kTrainLength) + std::to_string(*train_length));
    return join(options, ",");
}

std::string PublicModel::text() const {
    const auto said = options();
    return place.string() + (said.empty() ? "" : "@" + said);
}

std::optional<PublicModel> public_model(const std::string& text) {
    std::error_code error;
    const auto at_place = [](const std::string& place) -> std::optional<PublicModel> {
        if (place.empty() || !(is_gguf(place) || is_model_folder(place))) return std::nullopt;
        PublicModel model;
        model.place = without_trailing_slashes(place);
        return model;
    };
    if (fs::exists(text, error)) return at_place(text);
    const auto at = text.rfind('@');
    if (at == std::string::npos) return std::nullopt;
    auto model = at_place(text.substr(0, at));
    if (model) read_options(text, text.substr(at + 1), *model);
    return model;
}

}  // namespace longbow
