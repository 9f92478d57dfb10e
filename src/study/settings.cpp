// Reads a study's YAML file and checks everything that can be checked without its models.
#include "longbow/study/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "probe_kinds.h"
#include "raw_keys.h"

namespace longbow {

namespace {

using Kind = RawValue::Kind;

constexpr int kDepth = 8;  // vary, axis, value, section, key, and a list of mappings in it
constexpr std::size_t kMostModels = 10000;
constexpr std::int64_t kMostItems = 10'000'000;  // as `longbow probe` takes
constexpr std::int64_t kGreatestNumber = std::int64_t{1} << 40;
constexpr const char* kWhole = "whole numbers of tokens from 1";
constexpr const char* kMultiples = "multiples of train.length, numbers from 0.001 to 10000";

class StudyReader {
public:
    explicit StudyReader(const fs::path& file) : folder_(file.parent_path()) { study_.file = file.string(); }

    StudySettings read() {
        const auto root = read_yaml_tree(study_.file, kDepth);
        read_keys(root, "a study",
                  {{"name", [&](const RawValue& v) { study_.name = name_of(v, word_of(v, "name", "a name"), "name"); }},
                   {"title", [&](const RawValue& v) { study_.title = word_of(v, "title", "a text"); }},
                   {"base", [&](const RawValue& v) { read_base(v); }},
                   {"settings", [&](const RawValue& v) { study_.settings = settings_of(v, "settings", nullptr); }},
                   {"vary", [&](const RawValue& v) { read_axes(v); }},
                   {"seeds", [&](const RawValue& v) { read_seeds(v); }},
                   {"eval", [&](const RawValue& v) { read_eval(v); }},
                   {"probe", [&](const RawValue& v) { read_probe(v); }},
                   {"baseline", [&](const RawValue& v) { read_baseline(v); }},
                   {"parts", [&](const RawValue& v) { read_parts(v); }},
                   {"rows", [&](const RawValue& v) { rows_folder_ = path_of(word_of(v, "rows", "a folder")); }}});
        require(root, !study_.name.empty(), "name", "what its folders and files are called");
        require(root, !study_.base.empty(), "base", "the config file that the models begin with");
        require(root, !study_.axes.empty(), "vary", "what the models differ in");
        require(root, !study_.seeds.empty(), "seeds", "such as seeds: [1, 2, 3]");
        require(root, study_.probe.chosen() || !study_.strides.empty(), "eval", "such as eval: {multiples: [1, 2, 4]}");
        if (study_.probe.chosen() && !study_.strides.empty())
            throw ConfigError(study_.probe.place +
                              ": probe: a study measures what its probe asks for or, with eval, perplexity: leave one "
                              "of them out");
        check_names();
        check_parts();
        if (!rows_folder_.empty()) study_.rows = rows_folder_ / (study_.name + ".jsonl");
        return std::move(study_);
    }

private:
    static void require(const RawValue& root, bool given, const char* key, const char* what) {
        if (!given) refuse(root, std::string("the key ") + key + " is missing: " + what);
    }

    // Paths begin at the study's file, as those of a configuration's `include` do.
    [[nodiscard]] std::string path_of(const std::string& text) const { return tidy_path(folder_ / text).string(); }

    void read_base(const RawValue& value) {
        const auto add = [&](const RawValue& one) {
            study_.base.push_back(path_of(word_of(one, "base", "a config file or a list of them")));
            if (!fs::exists(study_.base.back())) {
                refuse(one,
                       "base: there is no file " + study_.base.back() + " (paths are relative to the study's file)");
            }
        };
        if (value.kind != Kind::list) return add(value);
        for (const auto& item : value.items) add(item);
    }

    // Returns the settings in a mapping, whose keys are section.key, or a section with a mapping of keys.
    // `at_evaluation` takes those below that key; null: there is no such key.
    std::vector<StudySetting> settings_of(const RawValue& map, const std::string& what,
                                          std::vector<StudySetting>* at_evaluation) {
        std::vector<StudySetting> settings;
        if (map.kind == Kind::null) return settings;
        if (map.kind != Kind::map) refuse(map, what + ": expected settings, such as {position.method: alibi}");
        const auto add = [&](const std::string& key, const RawValue& value) {
            settings.push_back({key + "=" + flow_text(value), value.place});
        };
        for (std::size_t i = 0; i < map.items.size(); ++i) {
            const auto& key = map.keys[i];
            const auto& value = map.items[i];
            if (at_evaluation != nullptr && key == "at_evaluation") {
                *at_evaluation = settings_of(value, what + ".at_evaluation", nullptr);
            } else if (key.find('.') != std::string::npos) {
                add(key, value);
            } else if (value.kind == Kind::map) {
                for (std::size_t j = 0; j < value.items.size(); ++j)
                    add(fmt::format("{}.{}", key, value.keys[j]), value.items[j]);
            } else {
                refuse(value,
                       fmt::format("{}.{}: expected section.key, such as position.method, or a section with its keys",
                                   what, key));
            }
        }
        return settings;
    }

    void read_axes(const RawValue& value) {
        if (value.kind != Kind::map || value.items.empty())
            refuse(value, "vary: expected axes, such as method: {alibi: {position.method: alibi}}");
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            StudyAxis axis{value.keys[i], {}};
            const auto& values = value.items[i];
            const auto what = "vary." + axis.name;
            if (values.kind != Kind::map || values.items.empty())
                refuse(values, what + ": expected named values, each with its settings");
            for (std::size_t j = 0; j < values.items.size(); ++j) {
                StudyValue one;
                one.name = name_of(values.items[j], values.keys[j], what);
                one.place = values.items[j].place;
                one.settings = settings_of(values.items[j], what + "." + one.name, &one.at_evaluation);
                axis.values.push_back(std::move(one));
            }
            study_.axes.push_back(std::move(axis));
        }
    }

    void read_seeds(const RawValue& value) {
        study_.seeds = numbers_of<std::uint64_t>(value, "seeds", 0, INT64_MAX, "seeds, whole numbers from 0");
    }

    void read_eval(const RawValue& value) {
        read_keys(value, "eval",
                  {{"split", [&](const RawValue& v) { study_.split = split_of(v, "eval"); }},
                   {"lengths", [&](const RawValue& v) { study_.lengths = lengths_of(v, "eval"); }},
                   {"multiples", [&](const RawValue& v) { study_.multiples = multiples_of(v, "eval"); }},
                   {"strides",
                    [&](const RawValue& v) {
                        study_.strides = numbers_of<std::int64_t>(v, "eval.strides", 0, kGreatestNumber,
                                                                  "whole numbers of targets; 0: no overlap");
                    }},
                   {"max_stream_tokens", [&](const RawValue& v) {
                        study_.max_stream_tokens = number_of<std::int64_t>(v, "eval.max_stream_tokens", 0,
                                                                           kGreatestNumber, "a whole number of tokens");
                    }}});
        check_lengths(value, "eval", study_.lengths, study_.multiples);
        if (study_.strides.empty()) study_.strides = {0};
    }

    static std::string split_of(const RawValue& value, const std::string& section) {
        auto split = word_of(value, section + ".split", "valid or test");
        if (split != "valid" && split != "test")
            refuse(value, section + ".split: expected valid or test, not '" + split + "'");
        return split;
    }

    static std::vector<std::int64_t> lengths_of(const RawValue& value, const std::string& section) {
        auto lengths = numbers_of<std::int64_t>(value, section + ".lengths", 1, kGreatestNumber, kWhole);
        std::sort(lengths.begin(), lengths.end());
        return lengths;
    }

    static std::vector<double> multiples_of(const RawValue& value, const std::string& section) {
        auto multiples = numbers_of<double>(value, section + ".multiples", 1e-3, 1e4, kMultiples);
        std::sort(multiples.begin(), multiples.end());
        return multiples;
    }

    static void check_lengths(const RawValue& value, const std::string& section,
                              const std::vector<std::int64_t>& lengths, const std::vector<double>& multiples) {
        if (lengths.empty() && multiples.empty())
            refuse(value, section + ": lengths is missing, or multiples, of train.length");
        if (!lengths.empty() && !multiples.empty())
            refuse(value, section + ": lengths and multiples are two ways to say one thing: keep one of them");
    }

    void read_probe(const RawValue& value) {
        auto& probe = study_.probe;
        probe.place = value.place;
        bool split_is_given = false;
        read_keys(value, "probe",
                  {{"kind",
                    [&](const RawValue& v) {
                        probe.kind = word_of(v, "probe.kind", "the name of a probe");
                        if (find_probe_kind(probe.kind) == nullptr)
                            refuse(v, "probe.kind: expected " + probe_names() + ", not '" + probe.kind + "'");
                    }},
                   {"lengths", [&](const RawValue& v) { probe.lengths = lengths_of(v, "probe"); }},
                   {"multiples", [&](const RawValue& v) { probe.multiples = multiples_of(v, "probe"); }},
                   {"split",
                    [&](const RawValue& v) {
                        probe.split = split_of(v, "probe");
                        split_is_given = true;
                    }},
                   {"items",
                    [&](const RawValue& v) {
                        probe.items = number_of<std::int64_t>(v, "probe.items", 1, kMostItems,
                                                              "a whole number of items from 1 to 10,000,000");
                    }},
                   {"seed", [&](const RawValue& v) {
                        probe.seed = number_of<std::uint64_t>(v, "probe.seed", 0, INT64_MAX, "a whole number from 0");
                    }}});
        if (!probe.chosen()) refuse(value, "probe: the key kind is missing: " + probe_names());
        const auto& kind = kind_of(probe);
        if (probe.items == 0) probe.items = kind.items;
        if (kind.has_lengths) {
            check_lengths(value, "probe", probe.lengths, probe.multiples);
        } else if (!probe.lengths.empty() || !probe.multiples.empty()) {
            refuse(value,
                   "probe: " + probe.kind + " has ranges of lengths of its own: leave out lengths and multiples");
        }
        if (split_is_given && !kind.reads_text)
            refuse(value, "probe.split: " + probe.kind + " reads no text of a store: leave it out");
    }

    static std::string probe_names() {
        std::vector<std::string> names;
        for (const auto& kind : probe_kinds()) names.emplace_back(kind.name);
        return join(names, ", ");
    }

    void read_baseline(const RawValue& value) {
        study_.baseline = word_of(value, "baseline", "the name of a value");
        baseline_ = value;
    }

    void read_parts(const RawValue& value) {
        parts_ = value;
        if (value.kind != Kind::map) refuse(value, "parts: expected named lists of values, such as a: [alibi, rotary]");
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            StudyPart part{name_of(value.items[i], value.keys[i], "parts"), value.items[i].place, {}};
            if (value.items[i].kind != Kind::list || value.items[i].items.empty())
                refuse(value.items[i], "parts." + part.name + ": expected a list of values, such as [alibi, rotary]");
            for (const auto& item : value.items[i].items) {
                part.values.push_back(word_of(item, "parts." + part.name, "names of values"));
                named_values_.emplace_back("parts." + part.name, item);
            }
            study_.parts.push_back(std::move(part));
        }
    }

    // Parts and the baseline name values alone, so that a name must not stand for two.
    void check_names() const {
        std::vector<std::string> names;
        std::size_t models = study_.seeds.size();
        for (const auto& axis : study_.axes) {
            models *= axis.values.size();
            if (models > kMostModels)
                throw ConfigError(study_.file + ": the grid has more than 10,000 models: leave values or seeds out");
            for (const auto& value : axis.values) {
                if (std::find(names.begin(), names.end(), value.name) != names.end()) {
                    throw ConfigError(value.place + ": vary." + axis.name + ": another axis has a value " + value.name +
                                      " too: rename one of them");
                }
                names.push_back(value.name);
            }
        }
        const auto check = [&](const std::string& key, const RawValue& value) {
            if (std::find(names.begin(), names.end(), value.text) != names.end()) return;
            const auto near = nearest(value.text, names);
            refuse(value, key + ": there is no value '" + value.text + "'" +
                              (near ? ", did you mean '" + *near + "'?" : "; there are " + join(names, ", ")));
        };
        if (!study_.baseline.empty()) check("baseline", baseline_);
        for (const auto& [key, value] : named_values_) check(key, value);
    }

    // A value that is in no part would be left out by someone who runs them all. Only axes that parts name count.
    void check_parts() const {
        std::set<std::string> named;
        for (const auto& part : study_.parts) named.insert(part.values.begin(), part.values.end());
        for (const auto& axis : study_.axes) {
            std::vector<std::string> left;
            for (const auto& value : axis.values) {
                if (!named.contains(value.name)) left.push_back(value.name);
            }
            if (!left.empty() && left.size() < axis.values.size())
                refuse(parts_, "parts: no part has " + join(left, ", ") + ": add what is missing to one");
        }
    }

    fs::path folder_, rows_folder_;
    StudySettings study_;
    RawValue baseline_, parts_;
    std::vector<std::pair<std::string, RawValue>> named_values_;  // with the key that names them
};

}  // namespace

StudySettings read_study(const fs::path& file) { return StudyReader(file).read(); }

}  // namespace longbow
