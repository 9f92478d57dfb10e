// docs/configuration.md is what the program says of itself, with the position methods and back-ends of this build.
#include <gtest/gtest.h>

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

// A method of the user's own needs no entry: the page is compared with what the program says of the methods that it lists.
TEST(ConfigDocs, PageEqualsTheProgram) {
    const auto page = read_file(LONGBOW_TEST_DATA "/../docs/configuration.md");
    auto context = registered_config_context();
    std::erase_if(context.position_methods,
                  [&](const Variant& method) { return page.find("\n### position.method: " + method.name + "\n") == std::string::npos; });
    EXPECT_GE(context.position_methods.size(), 6U) << "the paper's methods, learned positions and none have their sections";
    EXPECT_EQ(page, config_reference(context)) << "write it anew: longbow config list --markdown > docs/configuration.md";
}

TEST(ConfigDocs, DefaultsNameThingsThatExist) {
    const auto& context = registered_config_context();
    EXPECT_NO_THROW(parse_config("", "defaults", context));
    for (const auto& method : context.position_methods)
        EXPECT_NO_THROW(parse_config("position: {method: " + method.name + "}", "x", context));
}

}  // namespace
}  // namespace longbow
