// Tests that the names and values of a choice come from its one table.
#include "longbow/core/choice.h"

#include <gmock/gmock.h>

namespace longbow {

enum class Gait { walk, trot };

template <>
struct ChoiceTable<Gait> {
    static constexpr Choice<Gait> values[] = {{Gait::walk, "walk", "four beats"}, {Gait::trot, "trot", "two beats"}};
};

namespace {

TEST(Choice, NamesAndValuesComeFromTheTable) {
    EXPECT_EQ(name_of(Gait::trot), "trot");
    EXPECT_EQ(choice_named<Gait>("walk"), Gait::walk);
    EXPECT_EQ(choice_named<Gait>("gallop"), std::nullopt);
    EXPECT_THAT(choice_names<Gait>(), testing::ElementsAre("walk", "trot"));
}

}  // namespace

}  // namespace longbow
