// Tests the pickle machine with what CPython writes in protocols 2 to 5, and with what no honest writer would.
#include "foreign/unpickler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "builder.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

using namespace test;
using Kind = PickleValue::Kind;
using testing::HasSubstr;

std::string golden(const std::string& name) {
    return read_file(std::string(LONGBOW_TEST_DATA) + "/golden/pickle/" + name);
}

std::string refusal(const std::string& bytes, const PickleLimits& limits = {}) {
    return error_of([&] { read_pickle(bytes, limits); });
}

class EveryProtocol : public testing::TestWithParam<int> {};

// An argparse.Namespace that CPython 3.11 pickled in each protocol, with every plain type, shared values and an enum.
TEST_P(EveryProtocol, GivesTheNamespace) {
    const auto tree = read_pickle(golden("protocol" + std::to_string(GetParam()) + ".pkl"));
    const auto root = tree.root;
    EXPECT_EQ(tree.describe(root), "an object of class \"argparse.Namespace\"");
    EXPECT_EQ(tree.text(root, "arch"), "transformer_lm");
    EXPECT_EQ(tree.real(root, "dropout"), 0.25);
    EXPECT_EQ(tree.integer(root, "layers"), 16);
    EXPECT_EQ(tree.integer(root, "minus"), -2);
    EXPECT_EQ(tree.integer(root, "far"), -(std::int64_t{1} << 40));
    EXPECT_EQ(tree[tree.find(root, "huge")].kind, Kind::big_integer);
    EXPECT_EQ(tree.boolean(root, "flag"), true);
    EXPECT_EQ(tree.boolean(root, "off"), false);
    EXPECT_EQ(tree[tree.find(root, "none")].kind, Kind::none);
    EXPECT_EQ(tree.integer(root, "none"), std::nullopt);
    EXPECT_EQ(tree[tree.find(root, "sizes")].items.size(), 4u);
    EXPECT_EQ(tree[tree.find(root, "sizes")].kind, Kind::tuple);
    EXPECT_EQ(tree[tree[tree.find(root, "one")].items.at(0)].integer, 1);
    EXPECT_EQ(tree.find(root, "again"), tree.find(root, "nested")) << "one list, twice";
    EXPECT_EQ(tree[tree.find(root, "many")].items.size(), 1200u);
    EXPECT_EQ(tree.text(root, "long_text")->size(), 400u);
    EXPECT_EQ(tree.integer(tree.find(root, "ordered"), "b"), 2);
    EXPECT_EQ(tree[tree.find(tree.find(root, "grouped"), "x")].items.size(), 1u);
    EXPECT_EQ(tree.describe(tree.find(root, "mode")), "an object of class \"fairseq.dataclass.constants.Choice\"");
    EXPECT_EQ(tree.find(root, "no such"), kNoPickle);
}

INSTANTIATE_TEST_SUITE_P(Pickle, EveryProtocol, testing::Values(2, 3, 4, 5));

TEST(Unpickler, SeesThroughOmegaconf) {
    const auto tree = read_pickle(golden("omegaconf.pkl"));  // OmegaConf.create({"model": {..}}), omegaconf 2.1.2
    const auto model = tree.find(tree.root, "model");
    EXPECT_EQ(tree.text(model, "_name"), "transformer_lm");
    EXPECT_EQ(tree.integer(model, "decoder_layers"), 16);
    EXPECT_EQ(tree.real(model, "dropout"), 0.1);
    EXPECT_EQ(tree.boolean(model, "adaptive_input"), true);
    EXPECT_EQ(tree.text(model, "none"), std::nullopt);
}

TEST(Unpickler, ExecutesNothing) {
    const auto witness = std::filesystem::temp_directory_path() / ("longbow-executed-" + std::to_string(::getpid()));
    const auto command = "touch " + witness.string();
    for (const auto& [module, name] :
         {std::pair{"os", "system"}, {"posix", "system"}, {"builtins", "eval"}, {"subprocess", "Popen"}}) {
        const auto tree = read_pickle(pickle(dict({{"model", global(module, name) + text(command) + "\x85R"}})));
        EXPECT_EQ(tree.describe(tree.find(tree.root, "model")),
                  "an object of class \"" + std::string(module) + "." + name + "\"");
    }
    const auto tree = read_pickle("\x80\x04" + text("os") + text("system") + "\x93" + text(command) + "\x85\x81}b.");
    EXPECT_EQ(tree.describe(tree.root), "an object of class \"os.system\"");
    EXPECT_FALSE(std::filesystem::exists(witness));
}

TEST(Unpickler, ValuesMayContainThemselves) {
    const auto tree =
        read_pickle(pickle("]q\x01h\x01"
                           "a"));  // l = []; l.append(l)
    EXPECT_EQ(tree[tree.root].items, std::vector<PickleId>{tree.root});
    const auto looped = read_pickle(pickle("}q\x01" + text("_content") + "h\x01s"));
    EXPECT_EQ(looped.find(looped.root, "model"), kNoPickle);
    const auto object = read_pickle(pickle(global("a", "b") + ")\x81q\x01}" + text("_val") + "h\x01s" + "b"));
    EXPECT_EQ(object.find(object.root, "_val"), object.root);
}

TEST(Unpickler, DepthCostsNothing) {
    const std::size_t depth = 1'000'000;
    const auto tree = read_pickle(pickle(std::string(depth + 1, ']') + std::string(depth, 'a')));
    EXPECT_EQ(tree.values.size(), depth + 1);
    std::string tuples = ")";
    for (int i = 0; i < 100'000; ++i) tuples += "\x85";
    EXPECT_EQ(read_pickle(pickle(tuples)).values.size(), 100'001u);
}

TEST(Unpickler, LaterEntriesOfADictWin) {
    const auto tree = read_pickle(pickle(dict({{"a", "K\x01"}, {"a", "K\x02"}})));
    EXPECT_EQ(tree.integer(tree.root, "a"), 2);
}

TEST(Unpickler, NamesWhatIsWrongAndWhere) {
    EXPECT_THAT(refusal(""), HasSubstr("a.pkl is damaged at byte 0"));
    EXPECT_THAT(refusal("(dp0\n."), HasSubstr("not a pickle of protocol 2"));
    EXPECT_THAT(refusal("\x80\x06."), HasSubstr("protocol 6 is not known"));
    EXPECT_THAT(refusal(pickle("}\xff")), HasSubstr("a.pkl is damaged at byte 4: pickle opcode 0xff is not known"));
    EXPECT_THAT(refusal(pickle("")), HasSubstr("takes a value that does not exist"));
    EXPECT_THAT(refusal(pickle("K\x01(0")), HasSubstr("takes a value that does not exist")) << "below a mark";
    EXPECT_THAT(refusal(pickle("}u")), HasSubstr("a mark that does not exist"));
    EXPECT_THAT(refusal(pickle("}(K\x01u")), HasSubstr("a key without a value"));
    EXPECT_THAT(refusal(pickle("K\x01K\x01"
                               "a")),
                HasSubstr("added to a value of another kind"));
    EXPECT_THAT(refusal(pickle("h\x07")), HasSubstr("never stored"));
    EXPECT_THAT(refusal(pickle("K\x01K\x02R")), HasSubstr("no tuple of arguments"));
    EXPECT_THAT(refusal(pickle("K\x01Q")), HasSubstr("not a storage"));
    EXPECT_THAT(refusal(pickle("X" + little(0xffffffff, 4) + "abc")), HasSubstr("more bytes are due"));
    EXPECT_THAT(refusal("\x80\x04\x8d" + little(~std::uint64_t{0}, 8) + "abc."), HasSubstr("more bytes are due"));
    EXPECT_THAT(refusal("\x80\x02"
                        "cos\nsystem"),
                HasSubstr("ends inside a name"));
    EXPECT_THAT(refusal(pickle("c" + std::string(5000, 'a') + "\nb\n")), HasSubstr("too long"));
    EXPECT_THAT(refusal("\x80\x02}"), HasSubstr("more bytes are due")) << "no STOP";
}

TEST(Unpickler, HoldsToItsLimits) {
    PickleLimits limits;
    limits.values = 100;
    EXPECT_THAT(refusal(pickle(std::string(101, ']')), limits), HasSubstr("more values"));
    limits.bytes = 50;
    EXPECT_THAT(refusal(pickle(std::string(90, '(')), limits), HasSubstr("longer than any checkpoint's"));
    // A list of 1,000 pairs is made into a dict again and again, at 4 bytes of input per copy.
    std::string pairs = "](";
    for (int i = 0; i < 1000; ++i) pairs += "K\x01K\x02\x86";
    pairs += "e\x85q\x02" + global("collections", "OrderedDict") + "q\x03";
    for (int i = 0; i < 5000; ++i) pairs += "h\x03h\x02R";
    limits = {};
    limits.values = 1'000'000;
    EXPECT_THAT(refusal(pickle(pairs), limits), HasSubstr("more values"));
    // The same list a thousand times in one call.
    std::string once = "](";
    for (int i = 0; i < 1000; ++i) once += "K\x01K\x02\x86";
    once += "e\x85q\x02" + global("collections", "OrderedDict") + "(";
    for (int i = 0; i < 1000; ++i) once += "h\x02";
    EXPECT_THAT(refusal(pickle(once + "tR"), limits), HasSubstr("more than a factory and its entries"));
    // The memo, the stack and the marks grow by an entry for each byte of input.
    limits.values = 1000;
    EXPECT_THAT(refusal(pickle("N" + std::string(2000, '\x94')), limits), HasSubstr("more values"));
    EXPECT_THAT(refusal(pickle("N" + std::string(2000, '2')), limits), HasSubstr("more values"));
    EXPECT_THAT(refusal(pickle(std::string(2000, '(')), limits), HasSubstr("more values"));
}

TEST(Unpickler, TensorsStayInsideTheirStorage) {
    const auto of = [](const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& strides,
                       std::int64_t offset = 0) {
        return refusal(pickle(tensor(storage("0", 12), offset, sizes, strides)));
    };
    EXPECT_EQ(of({3, 4}, {4, 1}), "accepted");
    EXPECT_EQ(of({4, 3}, {1, 4}), "accepted") << "transposed";
    EXPECT_EQ(of({}, {}, 11), "accepted") << "a scalar";
    EXPECT_EQ(of({0, 4}, {4, 1}, 12), "accepted") << "empty";
    EXPECT_THAT(of({3, 4}, {4, 1}, 1), HasSubstr("beyond its storage \"0\""));
    EXPECT_THAT(of({}, {}, 12), HasSubstr("beyond its storage"));
    EXPECT_THAT(of({0, 4}, {4, 1}, 13), HasSubstr("beyond its storage"));
    EXPECT_THAT(of({13}, {1}), HasSubstr("beyond its storage"));
    EXPECT_THAT(of({13}, {0}), HasSubstr("beyond its storage")) << "expanded views could claim any size";
    EXPECT_THAT(of({2}, {12}), HasSubstr("beyond its storage"));
    EXPECT_THAT(of({std::int64_t{1} << 40, std::int64_t{1} << 40}, {0, 0}), HasSubstr("overflows"));
    EXPECT_THAT(of({3}, {std::int64_t{1} << 62}), HasSubstr("overflows"));
    EXPECT_THAT(of({2}, {std::int64_t{1} << 62}), HasSubstr("beyond its storage"));
    EXPECT_THAT(of({-1}, {1}), HasSubstr("not natural numbers"));
    EXPECT_THAT(of({1}, {-1}), HasSubstr("not natural numbers"));
    EXPECT_THAT(of({1}, {1}, -1), HasSubstr("negative"));
    EXPECT_THAT(of({1}, {1, 1}), HasSubstr("as many strides"));
    EXPECT_THAT(of(std::vector<std::int64_t>(17, 1), std::vector<std::int64_t>(17, 1)), HasSubstr("17 dimensions"));
}

TEST(Unpickler, OneStorageIsDescribedOneWay) {
    const auto two = [](const std::string& a, const std::string& b) {
        return refusal(pickle("]" + a + "a" + b + "a"));
    };
    EXPECT_EQ(two(storage("0", 4), storage("0", 4)), "accepted");
    EXPECT_THAT(two(storage("0", 4), storage("0", 5)), HasSubstr("described in two ways"));
    EXPECT_THAT(two(storage("0", 4), storage("0", 4, "HalfStorage")), HasSubstr("described in two ways"));
    EXPECT_THAT(two(storage("0", 4), storage("1", -1)), HasSubstr("impossible"));
    EXPECT_THAT(two(storage("0", 4), storage("1", std::int64_t{1} << 62)), HasSubstr("impossible"));
}

TEST(Unpickler, KnowsParametersAndTensorsWithAttributes) {
    const auto plain = tensor(storage("0", 12), 0, {3, 4}, {4, 1});
    const auto parameter =
        read_pickle(pickle(global("torch._utils", "_rebuild_parameter") + tuple({plain, "\x88", "}"}) + "R"));
    EXPECT_EQ(parameter[parameter.root].kind, Kind::tensor);
    const auto arguments = tuple({storage("0", 12), number(0), tuple({number(12)}), tuple({number(1)}), "\x89", "}"});
    const auto typed = read_pickle(
        pickle(global("torch._tensor", "_rebuild_from_type_v2") +
               tuple({global("torch._utils", "_rebuild_tensor_v2"), global("torch", "Tensor"), arguments, "}"}) + "R"));
    ASSERT_EQ(typed[typed.root].kind, Kind::tensor);
    EXPECT_EQ(typed.tensors.back().sizes, std::vector<std::int64_t>{12});
}

TEST(Unpickler, EveryTruncationIsRefused) {
    const auto whole = golden("protocol4.pkl");
    for (std::size_t size = 0; size < whole.size(); ++size)
        ASSERT_THAT(refusal(whole.substr(0, size)), HasSubstr("is damaged at byte"));
}

TEST(Unpickler, ForeignTextIsShownHarmless) {
    EXPECT_EQ(quote_foreign("a\x1b[2Jb\n"), "\"a\\x1b[2Jb\\x0a\"");
    EXPECT_EQ(quote_foreign(std::string(100, 'x')), "\"" + std::string(60, 'x') + "..\"");
    EXPECT_EQ(quote_foreign("a\"b\\x41\x1b"), R"("a\"b\\x41\x1b")") << "neither ends its quotes nor imitates an escape";
    EXPECT_TRUE(is_plain("transformer_lm") && is_plain(""));
    EXPECT_FALSE(is_plain("a\x1b[2J") || is_plain(std::string(61, 'x')) || is_plain(std::string(62, 'x')));
}

}  // namespace
}  // namespace longbow
