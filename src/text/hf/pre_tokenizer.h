// The pre-tokenizer of a tokenizer.json: steps, each of which cuts every piece that the step before it made.
//
// A ByteLevel step names bytes by characters (byte_name()). Here the pieces stay the bytes themselves, which is the
// same one to one; steps behind it judge a byte by the character that names it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "component.h"
#include "regex.h"

namespace longbow::hf {

// A piece of text. `first`: it begins where the whole text begins, before anything was put in front.
struct Piece {
    std::string_view text;
    bool first = false;
};

class PreTokenizer;

// Where a step hands its pieces on.
class Next {
public:
    using Sink = std::function<void(std::string_view)>;
    Next(const PreTokenizer& chain, std::size_t index, std::deque<std::string>& buffers, const Sink& sink)
        : chain_(chain), index_(index), buffers_(buffers), sink_(sink) {}
    void operator()(std::string_view text, bool first = false) const;
    // A buffer of the calling step.
    [[nodiscard]] std::string& buffer() const { return buffers_[index_ - 1]; }

private:
    const PreTokenizer& chain_;
    std::size_t index_;
    std::deque<std::string>& buffers_;
    const Sink& sink_;
};

// What a step says of a text that is cut between two characters and pre-tokenized in two parts: it would change pieces
// (never), the step only gets one piece as two (through), or it ends a piece there in the whole text too (boundary).
enum class Cut { never, through, boundary };

class Step {
public:
    virtual ~Step() = default;
    virtual void run(Piece piece, const Next& next) const = 0;
    // `before` and `after` are as the step before left them; the step changes them as it would change the text.
    virtual Cut cut(char32_t& before, char32_t& after) const = 0;
};

class PreTokenizer {
public:
    // Null: the whole text is one piece. Throws DataError for what is not known.
    explicit PreTokenizer(std::optional<Component> component);
    // Whether the pieces are bytes that the vocabulary names by characters.
    [[nodiscard]] bool byte_level() const { return byte_level_; }
    // Whether a step needs to know which piece is the first, and it comes before or behind others.
    [[nodiscard]] bool asks_for_first() const { return first_step_ != kNone; }
    [[nodiscard]] bool asks_for_first_later() const { return first_step_ != kNone && first_step_ > 0; }
    // Calls sink with every piece, none of which is empty.
    void run(Piece piece, std::deque<std::string>& buffers, const Next::Sink& sink) const;
    [[nodiscard]] Cut cut(char32_t& before, char32_t& after) const;

private:
    friend class Next;
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    void add(Component component, int depth);

    std::vector<std::unique_ptr<Step>> steps_;
    bool byte_level_ = false;
    std::size_t first_step_ = kNone;
};

inline void Next::operator()(std::string_view text, bool first) const {
    if (text.empty()) return;
    if (index_ == chain_.steps_.size())
        sink_(text);
    else
        chain_.steps_[index_]->run({text, first}, Next(chain_, index_ + 1, buffers_, sink_));
}

}  // namespace longbow::hf
