// Describes the paper's figures: which curves they draw, from which published numbers, and which of our measurements
// belong to each point.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longbow/paper/lookup.h"

namespace longbow {

struct FigurePoint {
    double x = 0, y = 0;             // the paper's values
    Target target;                   // what our y measures
    std::optional<Target> x_target;  // what our x measures, if x is measured too; else x is the paper's
};

struct FigureCurve {
    std::string label;
    std::size_t style = 0;
    std::vector<FigurePoint> points;
    // For a curve of a model's validations during its training (Figure 5): the model and the validation length.
    std::optional<Target> trained;
};

struct FigurePanel {
    std::string title, x_label, y_label;
    bool log_x = false, log_y = false;
    double x_factor = 1, y_factor = 1;  // convert a measurement's unit to the paper's
    std::vector<FigureCurve> curves;
};

// Returns the panels of "figure1", .. without the points that this scale leaves out. Throws UsageError for a figure
// that plots no numbers.
std::vector<FigurePanel> figure_panels(const std::string& name, const Scale& scale);

// Returns a model's validations at one length, (hours of training, perplexity), from its metrics.jsonl.
using CurveLookup = std::function<std::vector<std::pair<double, double>>(const Target&)>;
CurveLookup validations_in(const std::vector<ReportRun>& runs, const Scale& scale);

// Returns a self-contained SVG with the paper's curves dashed and ours solid.
std::string figure_svg(const std::string& name, const Scale& scale, const Lookup& ours, const CurveLookup& validations);

}  // namespace longbow
