// docs/configuration.md is what the program says of itself, with the position methods and back-ends of this build.
#include <gtest/gtest.h>

#include "longbow/checkpoint/config_context.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

TEST(ConfigDocs, PageEqualsTheProgram) {
    EXPECT_EQ(read_file(LONGBOW_TEST_DATA "/../docs/configuration.md"), config_reference(registered_config_context()))
        << "write it anew: longbow config list --markdown > docs/configuration.md";
}

TEST(ConfigDocs, DefaultsNameThingsThatExist) {
    const auto& context = registered_config_context();
    EXPECT_NO_THROW(parse_config("", "defaults", context));
    for (const auto& method : context.position_methods)
        EXPECT_NO_THROW(parse_config("position: {method: " + method.name + "}", "x", context));
}

}  // namespace
}  // namespace longbow
