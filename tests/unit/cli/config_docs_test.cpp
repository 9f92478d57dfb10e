// Tests that docs/configuration.md is what the program prints of itself, with this build's position methods and
// back-ends.
#include <gtest/gtest.h>

#include "longbow/config/context.h"
#include "longbow/config/fields.h"
#include "longbow/config/load.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

// An object that a user has added needs no entry: the page is compared with what the program prints of the objects that
// the page lists.
TEST(ConfigDocs, PageEqualsTheProgram) {
    const auto page = read_file(LONGBOW_TEST_DATA "/../docs/configuration.md");
    auto context = registered_config_context();
    for (const auto& selector : selectors()) {
        std::erase_if(context.*selector.variants, [&](const Variant& variant) {
            return page.find("\n### " + selector.path() + ": " + variant.name + "\n") == std::string::npos;
        });
    }
    EXPECT_GE(context.position_methods.size(), 6U)
        << "the paper's methods, learned positions and none have their sections";
    EXPECT_GE(context.optimizers.size(), 3U);
    EXPECT_GE(context.schedules.size(), 4U);
    EXPECT_EQ(page, config_reference(context))
        << "write it anew: longbow config list --markdown > docs/configuration.md";
}

TEST(ConfigDocs, DefaultsNameThingsThatExist) {
    const auto& context = registered_config_context();
    EXPECT_NO_THROW(parse_config("", "defaults", context));
    for (const auto& selector : selectors()) {
        for (const auto& variant : context.*selector.variants)
            EXPECT_NO_THROW(
                parse_config(selector.section + ": {" + selector.key + ": " + variant.name + "}", "x", context));
    }
}

}  // namespace
}  // namespace longbow
