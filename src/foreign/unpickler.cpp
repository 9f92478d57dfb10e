#include "unpickler.h"

#include <fmt/core.h>

#include <bit>
#include <unordered_map>
#include <utility>
#include <vector>

#include "opcodes.h"
#include "rebuild.h"

namespace longbow {

namespace {

using Kind = PickleValue::Kind;

class Machine {
public:
    Machine(ByteReader& reader, const PickleLimits& limits)
        : reader_(reader), limits_(limits), begin_(reader.position()) {}

    PickleTree run() {
        if (reader_.byte() != kProto) reader_.fail("it is not a pickle of protocol 2 or later");
        const auto protocol = reader_.byte();
        if (protocol < 2 || protocol > 5) reader_.fail(fmt::format("pickle protocol {} is not known", protocol));
        while (true) {
            if (reader_.position() - begin_ > limits_.bytes) reader_.fail("the pickle is longer than any checkpoint's");
            // A single byte of the pickle may add to any of these.
            if (stack_.size() + marks_.size() + memo_.size() > limits_.values)
                reader_.fail("the pickle holds more values than any checkpoint's");
            const std::uint8_t op = reader_.byte();
            if (op == kStop) break;
            if (!scalar(op) && !text(op) && !container(op) && !memory(op) && !call(op)) {
                reader_.fail(fmt::format("pickle opcode 0x{:02x} is not known", op));
            }
        }
        tree_.root = pop();
        return std::move(tree_);
    }

private:
    // The stack. A mark is a depth of the stack, and nothing below the last mark can be popped.
    PickleId add(PickleValue value) {
        if (tree_.values.size() >= limits_.values) reader_.fail("the pickle holds more values than any checkpoint's");
        tree_.values.push_back(std::move(value));
        return static_cast<PickleId>(tree_.values.size() - 1);
    }
    void push(PickleId id) { stack_.push_back(id); }
    void push_new(Kind kind, std::int64_t integer = 0) {
        PickleValue value;
        value.kind = kind;
        value.integer = integer;
        push(add(std::move(value)));
    }
    void push_text(Kind kind, std::string_view text) {
        PickleValue value;
        value.kind = kind;
        value.text = text;
        push(add(std::move(value)));
    }
    PickleId pop() {
        if (stack_.size() <= (marks_.empty() ? 0 : marks_.back()))
            reader_.fail("the pickle takes a value that does not exist");
        const PickleId id = stack_.back();
        stack_.pop_back();
        return id;
    }
    PickleId top() {
        const PickleId id = pop();
        push(id);
        return id;
    }
    std::vector<PickleId> pop_to_mark() {
        if (marks_.empty()) reader_.fail("the pickle returns to a mark that does not exist");
        std::vector<PickleId> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
        stack_.resize(marks_.back());
        marks_.pop_back();
        return items;
    }

    bool scalar(std::uint8_t op) {
        switch (op) {
            case kNone: push_new(Kind::none); return true;
            case kNewTrue: push_new(Kind::boolean, 1); return true;
            case kNewFalse: push_new(Kind::boolean, 0); return true;
            case kBinInt1: push_new(Kind::integer, static_cast<std::int64_t>(reader_.number(1))); return true;
            case kBinInt2: push_new(Kind::integer, static_cast<std::int64_t>(reader_.number(2))); return true;
            case kBinInt: push_new(Kind::integer, static_cast<std::int32_t>(reader_.number(4))); return true;
            case kLong1: push_long(reader_.number(1)); return true;
            case kLong4: push_long(reader_.number(4)); return true;
            case kBinFloat: {
                std::uint64_t bits = 0;  // the format's only big-endian number
                for (int i = 0; i < 8; ++i) bits = bits << 8 | reader_.byte();
                push_new(Kind::real);
                tree_.values.back().real = std::bit_cast<double>(bits);
                return true;
            }
            default: return false;
        }
    }
    void push_long(std::uint64_t size) {
        const auto digits = reader_.take_text(size);
        if (size > 8) return push_text(Kind::big_integer, digits);
        std::uint64_t value = size > 0 && (digits.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
        for (std::size_t i = digits.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(digits[i]);
        push_new(Kind::integer, static_cast<std::int64_t>(value));
    }

    bool text(std::uint8_t op) {
        switch (op) {
            case kShortBinUnicode:
            case kShortBinString: push_text(Kind::text, reader_.take_text(reader_.number(1))); return true;
            case kBinUnicode:
            case kBinString: push_text(Kind::text, reader_.take_text(reader_.number(4))); return true;
            case kBinUnicode8: push_text(Kind::text, reader_.take_text(reader_.number(8))); return true;
            case kShortBinBytes: push_text(Kind::bytes, reader_.take_text(reader_.number(1))); return true;
            case kBinBytes: push_text(Kind::bytes, reader_.take_text(reader_.number(4))); return true;
            case kBinBytes8:
            case kByteArray8: push_text(Kind::bytes, reader_.take_text(reader_.number(8))); return true;
            case kGlobal: {
                const auto module = reader_.line(limits_.name);
                push_global(module, reader_.line(limits_.name));
                return true;
            }
            case kStackGlobal: {
                const PickleId name = pop(), module = pop();
                if (tree_[name].kind != Kind::text || tree_[module].kind != Kind::text)
                    reader_.fail("a class is named by something else than text");
                push_global(tree_[module].text, tree_[name].text);
                return true;
            }
            default: return false;
        }
    }
    void push_global(std::string_view module, std::string_view name) {
        if (module.size() > limits_.name || name.size() > limits_.name) reader_.fail("a name in it is too long");
        push_text(Kind::global, std::string(module) + " " + std::string(name));
    }

    bool container(std::uint8_t op) {
        switch (op) {
            case kEmptyList: push_new(Kind::list); return true;
            case kEmptyTuple: push_new(Kind::tuple); return true;
            case kEmptyDict: push_new(Kind::dict); return true;
            case kEmptySet: push_new(Kind::set); return true;
            case kTuple1: push_items(Kind::tuple, take(1)); return true;
            case kTuple2: push_items(Kind::tuple, take(2)); return true;
            case kTuple3: push_items(Kind::tuple, take(3)); return true;
            case kTuple: push_items(Kind::tuple, pop_to_mark()); return true;
            case kList: push_items(Kind::list, pop_to_mark()); return true;
            case kFrozenSet: push_items(Kind::set, pop_to_mark()); return true;
            case kDict: push_items(Kind::dict, pop_to_mark()); return true;
            case kAppend: extend(Kind::list, take(1)); return true;
            case kAppends: extend(Kind::list, pop_to_mark()); return true;
            case kAddItems: extend(Kind::set, pop_to_mark()); return true;
            case kSetItem: extend(Kind::dict, take(2)); return true;
            case kSetItems: extend(Kind::dict, pop_to_mark()); return true;
            default: return false;
        }
    }
    std::vector<PickleId> take(std::size_t count) {
        std::vector<PickleId> items(count);
        while (count > 0) items[--count] = pop();
        return items;
    }
    void push_items(Kind kind, std::vector<PickleId> items) {
        if (kind == Kind::dict && items.size() % 2 != 0) reader_.fail("a dict has a key without a value");
        push_new(kind);
        tree_.values.back().items = std::move(items);
    }
    // Appends to the container on top of the stack. An object of an unknown class may also be a dict or a list; only a
    // dict's entries are kept, as its items.
    void extend(Kind kind, const std::vector<PickleId>& items) {
        if (kind == Kind::dict && items.size() % 2 != 0) reader_.fail("a dict has a key without a value");
        auto& target = tree_.values[top()];
        if (target.kind == Kind::object && kind != Kind::dict) return;
        if (target.kind != kind && target.kind != Kind::object)
            reader_.fail("items are added to a value of another kind");
        target.items.insert(target.items.end(), items.begin(), items.end());
    }

    bool memory(std::uint8_t op) {
        switch (op) {
            case kMark: marks_.push_back(stack_.size()); return true;
            case kPop: pop(); return true;
            case kPopMark: pop_to_mark(); return true;
            case kDup: push(top()); return true;
            case kBinPut: memo_[static_cast<std::uint32_t>(reader_.number(1))] = top(); return true;
            case kLongBinPut: memo_[static_cast<std::uint32_t>(reader_.number(4))] = top(); return true;
            case kMemoize: memo_[static_cast<std::uint32_t>(memo_.size())] = top(); return true;
            case kBinGet: recall(reader_.number(1)); return true;
            case kLongBinGet: recall(reader_.number(4)); return true;
            case kFrame: reader_.number(8); return true;  // FRAME only says how much a stream may read ahead
            default: return false;
        }
    }
    void recall(std::uint64_t index) {
        const auto found = memo_.find(static_cast<std::uint32_t>(index));
        if (found == memo_.end()) reader_.fail("the pickle recalls a value that it never stored");
        push(found->second);
    }

    bool call(std::uint8_t op) {
        switch (op) {
            case kBinPersId: {
                const PickleId id = pop();
                push(add(followed([&] { return rebuild_storage(tree_, id, limits_); })));
                return true;
            }
            case kNewObjEx: pop(); [[fallthrough]];  // drop the keyword arguments
            case kReduce:
            case kNewObj: {
                const PickleId arguments = pop(), callee = pop();
                if (tree_[arguments].kind != Kind::tuple) reader_.fail("a call has no tuple of arguments");
                PickleValue made = followed([&] { return rebuild_call(tree_, callee, arguments, limits_); });
                copied_ += made.items.size();
                if (copied_ > limits_.values) reader_.fail("the pickle holds more values than any checkpoint's");
                push(add(std::move(made)));
                return true;
            }
            case kBuild: {
                const PickleId state = pop();
                auto& target = tree_.values[top()];
                // The state of anything else, such as a tensor's attributes, is ignored.
                if (target.kind != Kind::object && target.kind != Kind::dict) return true;
                target.state = state;
                return true;
            }
            default: return false;
        }
    }
    template <class Action>
    PickleValue followed(Action&& action) {
        try {
            return action();
        } catch (const RebuildError& error) {
            reader_.fail(error.reason);
        }
    }

    ByteReader& reader_;
    const PickleLimits& limits_;
    std::size_t begin_;
    PickleTree tree_;
    std::vector<PickleId> stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::uint32_t, PickleId> memo_;
    // Counts items that calls have copied from their arguments. Nothing else could grow faster than the pickle.
    std::size_t copied_ = 0;
};

}  // namespace

PickleTree unpickle(ByteReader& reader, const PickleLimits& limits) { return Machine(reader, limits).run(); }

}  // namespace longbow
