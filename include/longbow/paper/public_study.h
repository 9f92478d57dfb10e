// Measures the paper's claim on public models: the perplexity of each at multiples of the length that it was trained
// at. Evaluations run as child processes of the same program, as those of the paper's grid do (reproduce.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "longbow/checkpoint/model_facts.h"
#include "longbow/eval/eval_result.h"
#include "longbow/grid/plan.h"
#include "longbow/report/format.h"
#include "longbow/report/output_files.h"

namespace longbow {

// What configs/public/public.yaml says; each key is explained there.
struct PublicSettings {
    std::vector<double> multiples;  // of the trained length, ascending
    std::string protocol;
    std::int64_t stride = 0;  // 0: the protocol's default
    std::vector<std::string> text;
};
// Throws ConfigError that names file, line and key.
PublicSettings read_public_settings(const std::filesystem::path& file);

struct PublicRequest : GridRequest {
    std::vector<std::string> models;  // as resolve_checkpoint() takes them
    PublicSettings settings;
    std::int64_t max_stream_tokens = 0;  // 0: the whole text
};

struct PublicCell {
    double multiple = 0;
    std::int64_t length = 0;
    std::string absent;             // why there is no number, whatever is measured: "the positions end at 1024"
    std::optional<EvalResult> row;  // what is measured
};

struct PublicPlan;

struct PublicEntry {
    std::string model;            // as the command line has it, with @rounded for what was added beside it
    std::string name;             // for tables; that of its rows if no other model has it
    std::string folder;           // below the run directory, of its results.jsonl
    bool rounded_beside = false;  // the model before it in the form that transformers computes
    ModelFacts facts;
    std::vector<PublicCell> cells;                            // one for each of the settings' multiples
    [[nodiscard]] std::vector<std::int64_t> missing() const;  // lengths that are still to be measured
};

struct PublicPlan {
    std::vector<PublicEntry> entries;
    double text_bytes = 0;
};

// Finds out what the models are and what of them is measured already. A public model of which programs compute
// different things is followed by the form that transformers computes. Throws UsageError for a model whose trained
// length is not known, and for a model that is named twice; what model_facts() throws; DataError if a text is missing.
PublicPlan plan_public(const PublicRequest& request);
// Returns the plan as text, with an estimate of the time on this machine if request.meter is set.
std::string public_plan_text(const PublicPlan& plan, const PublicRequest& request);

// The table in each format, and the figure: perplexity against the multiple, a line a model.
std::string render_public(const PublicPlan& plan, const PublicRequest& request, TextFormat format);
std::string public_svg(const PublicPlan& plan, const PublicRequest& request);

struct PublicOutput {
    std::string markdown;
    OutputFiles files;  // tables/public.{md,csv,tex,json,html}, figures/public.svg
};
// Plans, measures what is missing with at most request.jobs children at once, and writes the table and the figure. Like
// reproduce() it waits for another process in the same run directory, and throws as that does.
PublicOutput reproduce_public(const PublicRequest& request);

}  // namespace longbow
