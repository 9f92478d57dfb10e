// longbow verify: checks a run's checkpoints and that resuming is exact (train/trainer.h, verify_run()).
#include <iostream>
#include <memory>

#include "longbow/train/trainer.h"
#include "ranks.h"
#include "verbs.h"

namespace longbow {

namespace {

void add_verify(CLI::App& app, VerbContext& context) {
    auto run = std::make_shared<std::string>();
    auto options = std::make_shared<RankOptions>();
    auto* verb = add_verb(app, context, "verify",
                          "Check a run: its checkpoints are complete, and resuming gives the same weights bit for bit",
                          "longbow verify runs/alibi");
    verb->add_option("RUN", *run, "Run directory")->required();
    add_rank_arguments(verb, *options);
    run_with(verb, context, [run, options](const CommonOptions& common) {
        return run_ranked(*options, common, DistConfig{}.timeout, [&](const Ranked& ranked) {
            const auto report =
                verify_run(*run, ranked.device, common.threads_given ? ranked.threads : 0, ranked.ranks);
            if (ranked.ranks->leader()) std::cout << report;
            return 0;
        });
    });
}

LONGBOW_REGISTER_VERB(90, add_verify);

}  // namespace

}  // namespace longbow
