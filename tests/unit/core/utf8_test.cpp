// Tests names that are not UTF-8 in files that must be, byte order marks, and JSON with bytes that it cannot hold.
#include "longbow/core/utf8.h"

#include <gmock/gmock.h>

#include "longbow/core/json_text.h"
#include "longbow/core/random.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

TEST(Utf8, NamesReadBackFromTheirText) {
    EXPECT_EQ(escape_name("caf\xE9.txt"), "caf\\xE9.txt");
    EXPECT_EQ(unescape_name("caf\\xE9.txt"), "caf\xE9.txt");
    // UTF-8 stays as it is, except for a backslash that would be read as an escape.
    for (const std::string name : {"caf\xC3\xA9.txt", "a\\b", "a\\x", "a\\x4", "a\\xZZ", "\\\\x", "", "a\\xe9"})
        EXPECT_EQ(escape_name(name), name);
    EXPECT_EQ(escape_name("a\\xE9"), "a\\x5CxE9");
    // Random strings of bytes that are likely to clash.
    const std::string bytes = "\\x5CE9\xE9\xC3\xA9";
    Random random(1);
    for (int i = 0; i < 100000; ++i) {
        std::string name;
        for (auto n = random.below(12); n > 0; --n) name += bytes[random.below(bytes.size())];
        const auto text = escape_name(name);
        ASSERT_EQ(find_invalid_utf8(text), std::string::npos) << name;
        ASSERT_EQ(unescape_name(text), name);
    }
}

TEST(Utf8, PeopleSeeWhatIsNoUtf8AsEscapes) {
    EXPECT_EQ(escape_invalid_utf8("a\xFF\xC3\xA9\xE2\x82"), "a\\xFF\xC3\xA9\\xE2\\x82");
    EXPECT_EQ(escape_invalid_utf8("a\\xE9"), "a\\xE9");
}

TEST(Utf8, SaysWhatATextIs) {
    EXPECT_EQ(utf8_problem("a\nb\xC3\xA9"), "");
    EXPECT_EQ(utf8_problem("a\nb\xE9"), "byte 3 (line 2) is not valid UTF-8");
    for (const std::string& text : {std::string("\xFF\xFE"
                                                "a\0",
                                                4),
                                    std::string("\xFE\xFF\0a", 4)}) {
        EXPECT_THAT(utf8_problem(text), HasSubstr("byte order mark of UTF-16: convert it to UTF-8"));
    }
    for (const std::string& text : {std::string("\xFF\xFE\0\0a\0\0\0", 8), std::string("\0\0\xFE\xFF\0\0\0a", 8)}) {
        EXPECT_THAT(utf8_problem(text), HasSubstr("byte order mark of UTF-32"));
    }
    EXPECT_EQ(without_byte_order_mark("\xEF\xBB\xBFthe 1"), "the 1");
    EXPECT_EQ(without_byte_order_mark("the \xEF\xBB\xBF"), "the \xEF\xBB\xBF");
}

TEST(JsonText, WritesAnyBytesAsUtf8) {
    const Json good{{"name", "caf\xC3\xA9"}, {"n", 1}};
    EXPECT_EQ(json_text(good), good.dump());
    EXPECT_EQ(json_text(good, 2), good.dump(2));
    const Json bad{{"name", "caf\xE9"}, {"list", {"\xFF", 2.5, nullptr}}, {"\xFE", {{"deep", "\xE2\x82"}}}};
    EXPECT_EQ(json_text(bad), R"({"name":"caf\\xE9","list":["\\xFF",2.5,null],"\\xFE":{"deep":"\\xE2\\x82"}})");
    EXPECT_EQ(unescape_name(Json::parse(json_text(bad))["name"].get<std::string>()), "caf\xE9");
}

TEST(JsonText, WhatFollowsANulIsNotLost) {
    EXPECT_EQ(parse_json(R"({"a": 1})")["a"], 1);
    EXPECT_EQ(parse_json("\xEF\xBB\xBF{\"a\": 1}")["a"], 1);
    for (const std::string& text : {std::string("{\"a\": 1}\0{\"a\": 2}", 17), std::string("{\"a\": 1}\0", 9),
                                    std::string("\0", 1), std::string()}) {
        EXPECT_TRUE(parse_json(text).is_discarded());
    }
}

}  // namespace
}  // namespace longbow
