// The paper's figures: which curves they draw, from which published numbers, and which measurements of ours belong to each point.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longbow/paper/lookup.h"

namespace longbow {

struct FigurePoint {
    double x = 0, y = 0;             // the paper's
    Target target;                   // our y
    std::optional<Target> x_target;  // our x, where that is measured too; else the paper's
};

struct FigureCurve {
    std::string label;
    std::size_t style = 0;
    std::vector<FigurePoint> points;
    std::optional<Target> trained;  // points are a model's validations through its training: which model, at which length (Figure 5)
};

struct FigurePanel {
    std::string title, x_label, y_label;
    bool log_x = false, log_y = false;
    double x_factor = 1, y_factor = 1;  // from the units of a measurement to the paper's
    std::vector<FigureCurve> curves;
};

// The panels of "figure1", .., less the points that this scale leaves out. Throws UsageError for a figure that plots no numbers.
std::vector<FigurePanel> figure_panels(const std::string& name, const Scale& scale);

// A model's validations: (hours of training, perplexity) at one length, from metrics.jsonl.
using CurveLookup = std::function<std::vector<std::pair<double, double>>(const Target&)>;
CurveLookup validations_in(const std::vector<ReportRun>& runs, const Scale& scale);

// A picture that stands alone, the paper's curves dashed and ours solid.
std::string figure_svg(const std::string& name, const Scale& scale, const Lookup& ours, const CurveLookup& validations);

}  // namespace longbow
