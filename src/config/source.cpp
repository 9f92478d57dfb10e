#include "source.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <set>
#include <sstream>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/installation.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {

// No real tree of includes has this many files. Without a limit, files that each include two others, many levels deep,
// would take for ever.
constexpr std::size_t kMaxFiles = 1000;
constexpr std::size_t kMaxBytes = 16 << 20;
// A list of mappings that each hold a mapping is the deepest value that a key takes. An alias can make a list contain
// itself, and a few aliases of aliases can stand for a billion values.
constexpr int kMaxDepth = 3;
constexpr std::size_t kMaxValues = 1 << 20;

std::string place(const std::string& name, const YAML::Mark& mark) {
    return mark.is_null() ? name : name + ":" + std::to_string(mark.line + 1);  // yaml-cpp counts lines from 0
}

// Collects where each document of a YAML stream begins.
struct DocumentMarks final : YAML::EventHandler {
    std::vector<YAML::Mark> marks;
    void OnDocumentStart(const YAML::Mark& mark) override { marks.push_back(mark); }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
    void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
    void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  const std::string& /*value*/) override {}
    void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                         YAML::EmitterStyle::value /*style*/) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                    YAML::EmitterStyle::value /*style*/) override {}
    void OnMapEnd() override {}
};

// Refuses anything but text before yaml-cpp (0.7) gets it, because yaml-cpp takes the byte 4 for the end of the file
// and never returns from some texts with a NUL.
void require_text(const std::string& text, const std::string& name) {
    if (const auto fault = utf8_problem(text); !fault.empty()) throw ConfigError(name + ": " + fault);
    std::size_t line = 1;
    for (const char c : text) {
        if (c == '\n') ++line;
        if (static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t' || c == '\r') continue;
        throw ConfigError(name + ": not a text: it contains the control character " + std::to_string(c) + " (line " +
                          std::to_string(line) + ")");
    }
}

// Reads the value of one key.
class ValueReader {
public:
    // `place` says where a node stands, for messages.
    explicit ValueReader(std::function<std::string(const YAML::Node&)> place, int max_depth = kMaxDepth)
        : place_(std::move(place)), max_depth_(max_depth) {}

    RawValue read(const YAML::Node& node, int depth = 0) {
        if (++values_ > kMaxValues) throw ConfigError(place_(node) + ": more values than any key takes");
        RawValue raw;
        switch (node.Type()) {
            case YAML::NodeType::Undefined:
            case YAML::NodeType::Null: break;
            case YAML::NodeType::Map:
                raw.kind = RawValue::Kind::map;
                if (depth < max_depth_) read_map(node, depth, raw);
                break;
            case YAML::NodeType::Scalar:
                raw.kind = RawValue::Kind::scalar;
                raw.text = node.Scalar();
                raw.quoted = !node.Tag().empty() && node.Tag() != "?";  // "?" is yaml-cpp's tag for an unquoted scalar
                break;
            case YAML::NodeType::Sequence:
                raw.kind = RawValue::Kind::list;
                if (depth == max_depth_) break;
                for (const auto& item : node) raw.items.push_back(read(item, depth + 1));
                break;
        }
        if (depth > 0) raw.place = place_(node);
        return raw;
    }

private:
    void read_map(const YAML::Node& node, int depth, RawValue& raw) {
        std::set<std::string> seen;
        for (const auto& entry : node) {
            if (!entry.first.IsScalar()) throw ConfigError(place_(entry.first) + ": a key must be a plain word");
            const std::string& word = entry.first.Scalar();
            if (!seen.insert(word).second)
                throw ConfigError(place_(entry.first) + ": " + word + " is written here twice");
            raw.keys.push_back(word);
            raw.items.push_back(read(entry.second, depth + 1));
            raw.items.back().place = place_(entry.first);
        }
    }

    std::function<std::string(const YAML::Node&)> place_;
    int max_depth_;
    std::size_t values_ = 0;
};

RawValue raw_value(const YAML::Node& node, const std::string& name) {
    return ValueReader([&](const YAML::Node& at) { return place(name, at.Mark()); }).read(node);
}

// Lets the paths that an installed configuration names begin in the cache. Those of a mixture end with =WEIGHT, which
// stays as it is.
void move_data_paths(Assignment& assignment) {
    const auto path = assignment.path();
    static const std::set<std::string> names_files{"data.store", "data.valid_store", "data.mixture",  "data.train",
                                                   "data.valid", "data.test",        "tokenizer.file"};
    if (names_files.count(path) == 0) return;
    auto& value = assignment.value;
    if (value.kind == RawValue::Kind::scalar) value.text = installed_data_path(value.text);
    for (auto& item : value.items) {
        if (item.kind == RawValue::Kind::scalar) item.text = installed_data_path(item.text);
    }
}

class Reader {
public:
    std::vector<Assignment> assignments;

    void file(const std::string& path) {
        std::error_code ignored;
        const std::string identity = fs::weakly_canonical(path, ignored).string();
        const auto again = std::find(chain_.begin(), chain_.end(), identity);
        if (again != chain_.end()) {
            throw ConfigError(path + ": includes itself: " + join({again, chain_.end()}, " -> ") + " -> " + identity);
        }
        if (++files_ > kMaxFiles)
            throw ConfigError(path + ": more than " + std::to_string(kMaxFiles) + " included files");
        chain_.push_back(identity);
        const auto yaml = contents(path);
        text(yaml, path, true, is_own_config(path, yaml));
        chain_.pop_back();
    }

    // Returns a whole file as one value.
    static RawValue tree(const std::string& path, int depth) {
        const auto yaml = contents(path);
        require_text(yaml, path);
        const auto place_in = [&](const YAML::Node& at) { return place(path, at.Mark()); };
        auto value = ValueReader(place_in, depth).read(document(yaml, path));
        value.place = path;
        return value;
    }

    void text(const std::string& yaml, const std::string& name, bool may_include, bool own) {
        require_text(yaml, name);
        const auto root = document(yaml, name);
        if (root.IsNull()) return;
        if (!root.IsMap())
            throw ConfigError(place(name, root.Mark()) + ": expected sections (model:, train:, ..) at the top");
        if (const auto include = member(root, "include"); include.IsDefined()) {
            if (!may_include) throw ConfigError(place(name, include.Mark()) + ": include: is only possible in a file");
            includes(include, name);
        }
        const auto first = assignments.size();
        std::set<std::string> seen;
        for (const auto& entry : root) {
            const std::string section = key(entry.first, name, "", seen);
            if (section == "include") continue;
            // The section itself is assigned first: if it is unknown, that is the error to report, not its first key.
            const bool holds_keys = entry.second.IsMap() || entry.second.IsNull();
            assignments.push_back({section, "", holds_keys ? RawValue{} : raw_value(entry.second, name),
                                   place(name, entry.first.Mark())});
            if (entry.second.IsMap()) keys(section, entry.second, name);
        }
        const bool installed = may_include && is_installed_config(name);
        for (auto i = first; i < assignments.size(); ++i) {
            assignments[i].layer = layers_;
            assignments[i].own = own;
            if (installed) move_data_paths(assignments[i]);
        }
        ++layers_;
    }

private:
    static std::string contents(const std::string& path) {
        std::error_code error;
        const auto status = fs::status(path, error);
        if (!fs::exists(status)) throw ConfigError(path + ": there is no such config file");
        if (fs::is_directory(status)) throw ConfigError(path + ": a folder, not a config file");
        if (!fs::is_regular_file(status) && !fs::is_fifo(status)) throw ConfigError(path + ": not a file with text");
        if (fs::is_regular_file(status) && fs::file_size(path, error) > kMaxBytes)
            throw ConfigError(path + ": too large for a config file");
        try {
            return read_file(path);
        } catch (const Error& failure) {
            throw ConfigError(failure.what());
        }
    }

    static YAML::Node document(const std::string& yaml, const std::string& name) {
        try {
            refuse_second_document(yaml, name);
            return YAML::Load(yaml);
        } catch (const YAML::Exception& error) {
            throw ConfigError(place(name, error.mark) + ": not valid YAML: " + error.msg);
        }
    }

    // yaml-cpp's LoadAll (0.7) would allocate without end at a lone comma: it continues with an endless series of empty
    // documents.
    static void refuse_second_document(const std::string& yaml, const std::string& name) {
        DocumentMarks documents;
        std::istringstream stream(yaml);
        YAML::Parser parser(stream);
        while (documents.marks.size() < 2 && parser.HandleNextDocument(documents)) {
        }
        if (documents.marks.size() < 2) return;
        const auto& mark = documents.marks[1];
        const auto at = static_cast<std::size_t>(mark.pos);
        if (at < yaml.size() && yaml[at] == ',') {
            throw ConfigError(place(name, mark) + ": not valid YAML: a comma that separates nothing");
        }
        throw ConfigError(place(name, mark) + ": a second YAML document; a config is one");
    }

    // Looks a key up. Unlike operator[], this does not stop at keys of other types.
    static YAML::Node member(const YAML::Node& map, const std::string& wanted) {
        for (const auto& entry : map) {
            if (entry.first.IsScalar() && entry.first.Scalar() == wanted) return entry.second;
        }
        return YAML::Node(YAML::NodeType::Undefined);
    }

    // yaml-cpp silently keeps the last of equal keys. Here they are an error.
    static std::string key(const YAML::Node& node, const std::string& name, const std::string& section,
                           std::set<std::string>& seen) {
        if (!node.IsScalar()) throw ConfigError(place(name, node.Mark()) + ": a key must be a plain word");
        const std::string& word = node.Scalar();
        if (!seen.insert(word).second) {
            throw ConfigError(place(name, node.Mark()) + ": " + (section.empty() ? word : section + "." + word) +
                              " is written here twice");
        }
        return word;
    }

    void keys(const std::string& section, const YAML::Node& node, const std::string& name) {
        std::set<std::string> seen;
        for (const auto& entry : node) {
            const std::string word = key(entry.first, name, section, seen);
            assignments.push_back({section, word, raw_value(entry.second, name), place(name, entry.first.Mark())});
        }
    }

    void includes(const YAML::Node& node, const std::string& name) {
        const auto one = [&](const YAML::Node& item) {
            const std::string where = place(name, item.Mark()) + ": include: ";
            if (!item.IsScalar() || item.Scalar().empty())
                throw ConfigError(where + "expected a file or a list of files");
            const fs::path path = fs::path(name).parent_path() / unescape_name(item.Scalar());
            if (!fs::exists(path)) {
                throw ConfigError(where + "there is no file " + path.string() +
                                  " (paths are relative to the including file)");
            }
            file(tidy_path(path).string());
        };
        if (!node.IsSequence()) return one(node);
        for (const auto& item : node) one(item);
    }

    std::vector<std::string> chain_;
    std::size_t files_ = 0, layers_ = 0;
};

}  // namespace

const char* const kOwnConfigMark = "# The settings of a run, complete, as longbow wrote them.";

bool is_own_config(const std::string& path, const std::string& text) {
    if (starts_with(text, kOwnConfigMark)) return true;
    std::error_code ignored;
    const fs::path file = path;
    return file.filename() == "config.yaml" && fs::is_directory(file.parent_path() / "checkpoints", ignored);
}

std::vector<Assignment> read_config_file(const std::string& path) {
    Reader reader;
    reader.file(path);
    return std::move(reader.assignments);
}

std::vector<Assignment> read_config_text(const std::string& yaml, const std::string& name, bool own) {
    Reader reader;
    reader.text(yaml, name, false, own);
    return std::move(reader.assignments);
}

RawValue read_yaml_tree(const std::string& path, int depth) { return Reader::tree(path, depth); }

Assignment read_override(const std::string& given) {
    // An argument is bytes, and a file's name in it need not be UTF-8. Its invalid bytes are escaped as they are in a
    // config file.
    const auto text = escape_invalid_utf8(given);
    std::string origin = "override '" + text + "'";
    require_text(text, origin);
    const auto equals = text.find('=');
    if (equals == std::string::npos) throw ConfigError(origin + ": expected section.key=value");
    const std::string path(trim(std::string_view(text).substr(0, equals)));
    const std::string value(trim(std::string_view(text).substr(equals + 1)));
    const auto dot = path.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == path.size()) {
        throw ConfigError(origin + ": '" + path + "' is not of the form section.key, such as train.length");
    }
    Assignment assignment{path.substr(0, dot), path.substr(dot + 1), {}, origin, true};
    auto& raw = assignment.value;
    if (value.empty() || value == "null") return assignment;
    raw.kind = RawValue::Kind::scalar;
    raw.text = value;
    if (value.front() == '[') {
        try {
            raw = ValueReader([&](const YAML::Node&) { return origin; }).read(YAML::Load(value));
        } catch (const YAML::Exception& error) {
            throw ConfigError(origin + ": not a valid list: " + error.msg);
        }
    }
    return assignment;
}

}  // namespace longbow
