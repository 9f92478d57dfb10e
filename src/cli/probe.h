// Adds `longbow probe`, the group of the verbs in probe_<what>.cpp, and holds what they share. The first of them that
// registers creates the group.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/eval/measured_text.h"
#include "longbow/model/language_model.h"
#include "longbow/probe/probe_row.h"
#include "verbs.h"

namespace longbow {

CLI::App& probe_group(CLI::App& app);

struct ProbeFlags {
    std::vector<std::string> checkpoints;
    ModelChoice model;
    ProbeOptions options;
    std::string out;
    bool json = false;
};
// Adds the arguments and flags that all probes have. `batches`: whether a forward pass holds several items.
void add_probe_flags(CLI::App* verb, ProbeFlags& flags, bool batches = true);
// Adds those of probes that draw items. flags.options.items has the default.
void add_item_flags(CLI::App* verb, ProbeFlags& flags, const std::string& items_help);

struct Probe {
    std::function<void(const MeasuredRun&)> check;  // refuses a run before any is measured
    std::function<std::vector<Json>(MeasuredRun&, LanguageModel&, const std::string& device)> measure;
    std::function<std::string(const std::vector<Json>&, int width)> table;
};
// Adds to each row which text was measured.
void name_text(std::vector<Json>& rows, const MeasuredText& text);

// Measures each run in turn, appends its rows to probes.jsonl (or to --out) and prints its table.
int run_probe(const ProbeFlags& flags, const CommonOptions& common, const Probe& probe);

}  // namespace longbow
