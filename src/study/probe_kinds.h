// The probes that a study can take in place of perplexity: what each measures of a model, and how its numbers are
// called.
#pragma once

#include <string>
#include <vector>

#include "longbow/study/study.h"
#include "measured_model.h"

namespace longbow {

inline constexpr const char* kProbeOfTasks = "tasks";

struct ProbeKind {
    const char* name;                  // of the verb below `longbow probe`
    std::int64_t items;                // of each measurement, by default
    bool has_lengths;                  // whether the study says at which lengths
    bool reads_text;                   // of a split
    const char *key, *label;           // of the number: "exact_match", "exact match"
    const char* heading;               // above its table: "Exact match by length"
    const char* note;                  // what the number is, as the beginning of a sentence
    const char* interval;              // what the interval of a single seed is
    double least, most;                // values that the number may have
    const char* x_label;               // of its chart, when lengths are multiples of the trained one
    const char* measured;              // "new items of {tasks}: {items} for each range of lengths"
    std::vector<const char*> columns;  // of CSV, which ProbeCell::about fills
    std::vector<const char*> also;     // keys of a row that JSON has besides
    // Fills the cells of a variant, and what the command and its rows have. Throws ConfigError that begins with the
    // probe's place in the study's file.
    void (*plan)(const StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                 std::vector<ProbeCell>& cells, PlannedProbe& planned);
};

const std::vector<ProbeKind>& probe_kinds();
// Returns null for another name.
const ProbeKind* find_probe_kind(const std::string& name);
// The same for the kind that a study has chosen.
const ProbeKind& kind_of(const StudyProbe& probe);

}  // namespace longbow
