#include "import_source.h"

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"

namespace longbow {

Json describe_source(const ForeignModel& model, bool rounded) {
    Json source{{"format", model.format},  {"type", model.type},        {"prefix", model.prefix},
                {"rounded", rounded},      {"tensors", Json::object()}, {"repeated", Json::object()},
                {"buffers", model.buffers}};
    for (const auto& tensor : model.tensors) {
        auto& theirs = source["tensors"][tensor.source];
        theirs["type"] = tensor.tensor.type;
        theirs["shape"] = tensor.tensor.shape;
        theirs["parts"].push_back(
            {{"name", tensor.name}, {"offset", tensor.offset}, {"sizes", tensor.sizes}, {"strides", tensor.strides}});
    }
    for (const auto& [name, same_as] : model.repeated) source["repeated"][name] = same_as;
    return source;
}

ImportedSource read_source(const std::filesystem::path& checkpoint) {
    const auto path = checkpoint / kSourceFile;
    const Json json = parse_json(read_file(path));
    ImportedSource source;
    try {
        source.format = json.at("format").get<std::string>();
        source.type = json.at("type").get<std::string>();
        for (const auto& [name, tensor] : json.at("tensors").items()) {
            ExportedTensor theirs{name, tensor.at("shape").get<std::vector<std::int64_t>>(), {}};
            source.types[name] = tensor.at("type").get<std::string>();
            for (const auto& part : tensor.at("parts")) {
                theirs.parts.push_back({part.at("name").get<std::string>(), part.at("offset").get<std::int64_t>(),
                                        part.at("sizes").get<std::vector<std::int64_t>>(),
                                        part.at("strides").get<std::vector<std::int64_t>>()});
            }
            source.tensors.push_back(std::move(theirs));
        }
        for (const auto& [name, same_as] : json.at("repeated").items()) {
            const auto kept = std::find_if(source.tensors.begin(), source.tensors.end(), [&](const auto& tensor) {
                return tensor.name == same_as.template get<std::string>();
            });
            if (kept == source.tensors.end()) throw CheckpointError(path.string() + " is damaged");
            auto copy = *kept;
            copy.name = name;
            source.types[name] = source.types[kept->name];
            source.tensors.push_back(std::move(copy));
        }
    } catch (const Json::exception&) {
        throw CheckpointError(path.string() + " is damaged: it does not say where the weights came from");
    }
    return source;
}

}  // namespace longbow
