// longbow verify
#include <iostream>
#include <memory>

#include "longbow/train/trainer.h"
#include "verbs.h"

namespace longbow {

namespace {

void add_verify(CLI::App& app, VerbContext& context) {
    auto run = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "verify", "Check a run: its checkpoints are whole, and resuming gives the same weights bit for bit",
                          "longbow verify runs/alibi");
    verb->add_option("RUN", *run, "Run directory")->required();
    run_with(verb, context, [run](const CommonOptions& common) {
        std::cout << verify_run(*run, resolve_device(common.device), common.threads);
        return 0;
    });
}

LONGBOW_REGISTER_VERB(90, add_verify);

}  // namespace

}  // namespace longbow
