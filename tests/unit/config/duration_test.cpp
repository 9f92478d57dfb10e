// Tests durations such as "1000 updates": reading, writing, and counting them in updates.
#include "longbow/config/duration.h"

#include <gtest/gtest.h>

#include "longbow/core/error.h"
#include "longbow/core/random.h"

namespace longbow {
namespace {

using Unit = Duration::Unit;

TEST(Duration, ReadsEveryUnit) {
    EXPECT_EQ(Duration::parse("600 updates"), (Duration{600, Unit::updates}));
    EXPECT_EQ(Duration::parse("1 update"), (Duration{1, Unit::updates}));
    EXPECT_EQ(Duration::parse("10K updates"), (Duration{10000, Unit::updates}));
    EXPECT_EQ(Duration::parse("3 epochs"), (Duration{3, Unit::epochs}));
    EXPECT_EQ(Duration::parse("0.5 epochs"), (Duration{0.5, Unit::epochs}));
    EXPECT_EQ(Duration::parse("2.5B tokens"), (Duration{2.5e9, Unit::tokens}));
    EXPECT_EQ(Duration::parse("1e6 tokens"), (Duration{1e6, Unit::tokens}));
    EXPECT_EQ(Duration::parse("20 min"), (Duration{1200, Unit::seconds}));
    EXPECT_EQ(Duration::parse("90s"), (Duration{90, Unit::seconds}));
    EXPECT_EQ(Duration::parse("1.5 h"), (Duration{5400, Unit::seconds}));
    EXPECT_EQ(Duration::parse("2 d"), (Duration{172800, Unit::seconds}));
}

TEST(Duration, RefusesWhatIsNotOne) {
    for (const char* text :
         {"", "600", "updates", "600 upd", "-1 updates", "-0 updates", "1.5 updates", "nan epochs", "inf epochs",
          "1e300 tokens", "600 updates now", "1 Ktokens x", "1k tokens", "0x10 updates", "2.5BB tokens"}) {
        EXPECT_THROW(Duration::parse(text), ConfigError) << text;
    }
}

TEST(Duration, TextIsShortAndExact) {
    EXPECT_EQ((Duration{600, Unit::updates}.text()), "600 updates");
    EXPECT_EQ((Duration{1, Unit::epochs}.text()), "1 epoch");
    EXPECT_EQ((Duration{2.5e9, Unit::tokens}.text()), "2.5B tokens");
    EXPECT_EQ((Duration{1234567, Unit::tokens}.text()), "1234567 tokens");
    EXPECT_EQ((Duration{1200, Unit::seconds}.text()), "20 min");
    EXPECT_EQ((Duration{5400, Unit::seconds}.text()), "90 min");
    EXPECT_EQ((Duration{7200, Unit::seconds}.text()), "2 h");
    Random random(7);
    for (int i = 0; i < 5000; ++i) {
        Duration duration;
        duration.unit = static_cast<Unit>(random.below(4));
        const bool whole = duration.unit == Unit::updates || duration.unit == Unit::tokens || random.below(2) == 0;
        const auto magnitude = std::uint64_t{1} << random.below(50);
        duration.value =
            whole ? static_cast<double>(random.below(magnitude)) : random.uniform() * static_cast<double>(magnitude);
        ASSERT_EQ(Duration::parse(duration.text()), duration) << duration.text();
    }
}

TEST(Duration, CountsUpdatesRoundedUp) {
    EXPECT_EQ((Duration{600, Unit::updates}.updates(2048, 426.8)), 600);
    EXPECT_EQ((Duration{2, Unit::epochs}.updates(2048, 426.8)), 854);
    EXPECT_EQ((Duration{2049, Unit::tokens}.updates(2048, 426.8)), 2);
    EXPECT_EQ((Duration{2048, Unit::tokens}.updates(2048, 426.8)), 1);
    EXPECT_EQ((Duration{1.1, Unit::epochs}.updates(1, 10)), 11);
    EXPECT_EQ((Duration{0, Unit::updates}.updates(1, 1)), 0);
    EXPECT_EQ((Duration{60, Unit::seconds}.updates(2048, 426.8)), -1);
}

}  // namespace
}  // namespace longbow
