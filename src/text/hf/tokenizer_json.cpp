#include "tokenizer_json.h"

#include "longbow/core/error.h"
#include "meta.h"

namespace longbow::hf {

namespace {

constexpr std::size_t kDeepest = 64;
constexpr std::size_t kMostKeys = 4096;  // of an object that is no vocabulary; finding a key takes time in proportion

class Handler : public nlohmann::json_sax<Json> {
public:
    TokenizerJson result;
    std::string problem;

    bool null() override { return value(nullptr); }
    bool boolean(bool flag) override { return value(flag); }
    bool number_integer(std::int64_t number) override { return value(number); }
    bool number_float(double number, const std::string&) override { return value(number); }
    bool binary(Json::binary_t&) override { return refuse("binary data"); }

    bool number_unsigned(std::uint64_t number) override {
        if (place_ != Place::vocab) return value(number);
        result.vocabulary.tokens.emplace_back(std::move(keys_.back()), number);
        return true;
    }

    bool string(std::string& text) override {
        switch (place_) {
            case Place::merges: return old_merge(text);
            case Place::pair:
                if (parts_ == 2) return refuse("a merge of more than two tokens");
                (parts_++ == 0 ? result.vocabulary.merges.back().first : result.vocabulary.merges.back().second) =
                    std::move(text);
                return true;
            case Place::vocab:
            case Place::other: break;
        }
        return value(std::move(text));
    }

    bool key(std::string& name) override {
        keys_.back() = std::move(name);
        if (place_ == Place::vocab) return true;
        auto& object = *open_.back();
        if (object.size() == kMostKeys) return refuse("an object of more than 4,096 keys");
        return !object.contains(keys_.back()) || refuse("the key twice");
    }

    bool start_object(std::size_t) override {
        if (keys_.size() == kDeepest) return refuse("values nested more than 64 deep");
        if (place_ != Place::other) return refuse("an object");
        if (at("vocab")) {
            if (result.has_vocab) return refuse("the key twice");
            result.has_vocab = true;
            place_ = Place::vocab;
        } else if (auto* added = add(Json::object())) {
            open_.push_back(added);
        } else {
            return false;
        }
        keys_.emplace_back();
        return true;
    }

    bool end_object() override {
        keys_.pop_back();
        if (place_ == Place::vocab)
            place_ = Place::other;
        else
            open_.pop_back();
        return true;
    }

    bool start_array(std::size_t) override {
        if (keys_.size() + open_.size() >= 2 * kDeepest) return refuse("values nested more than 64 deep");
        if (place_ == Place::merges) {
            place_ = Place::pair;
            parts_ = 0;
            result.vocabulary.merges.emplace_back();
            return true;
        }
        if (place_ != Place::other) return refuse("a list");
        if (at("merges")) {
            if (result.has_merges) return refuse("the key twice");
            result.has_merges = true;
            place_ = Place::merges;
            return true;
        }
        auto* added = add(Json::array());
        if (added != nullptr) open_.push_back(added);
        return added != nullptr;
    }

    bool end_array() override {
        if (place_ == Place::pair) {
            place_ = Place::merges;
            return parts_ == 2 || refuse("a merge of fewer than two tokens");
        }
        if (place_ == Place::merges)
            place_ = Place::other;
        else
            open_.pop_back();
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
        if (problem.empty()) problem = "not JSON at byte " + std::to_string(position);
        return false;
    }

private:
    enum class Place { other, vocab, merges, pair };

    // Whether the value that begins is model.NAME.
    [[nodiscard]] bool at(const char* name) const {
        return open_.size() == 2 && keys_.size() == 2 && keys_[0] == "model" && keys_[1] == name;
    }

    Json* add(Json json) {
        if (open_.empty()) {
            result.rest = std::move(json);
            return &result.rest;
        }
        auto& parent = *open_.back();
        if (parent.is_array()) {
            parent.push_back(std::move(json));
            return &parent.back();
        }
        return &(parent[keys_.back()] = std::move(json));
    }

    bool value(Json json) {
        if (place_ == Place::vocab) return refuse("no number where the token's id was expected");
        if (place_ != Place::other) return refuse("no text where a merge was expected");
        add(std::move(json));
        return true;
    }

    // "a b", as older files write it.
    bool old_merge(const std::string& text) {
        if (text.starts_with("#version")) return true;
        const auto space = text.find(' ');
        if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
            return refuse("the merge \"" + text.substr(0, 80) +
                          "\", which is not two tokens with one space between them");
        result.vocabulary.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        return true;
    }

    bool refuse(const std::string& what) {
        std::string path;
        for (const auto& name : keys_) path += (path.empty() ? "" : ".") + name.substr(0, 80);
        problem = (path.empty() ? "" : path + ": ") + what;
        return false;
    }

    Place place_ = Place::other;
    std::vector<Json*> open_;        // objects and lists around the value, each the last one of its parent
    std::vector<std::string> keys_;  // of the objects around the value
    int parts_ = 0;                  // of the merge
};

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& name) {
    text = vocabulary_text(text, name, /*nul=*/false);
    Handler handler;
    if (!Json::sax_parse(text, &handler)) throw DataError(name + ": " + handler.problem);
    if (!handler.result.rest.is_object()) throw DataError(name + ": an object was expected: this is no tokenizer.json");
    return std::move(handler.result);
}

}  // namespace longbow::hf
