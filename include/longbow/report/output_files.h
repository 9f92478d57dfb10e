// Writes the tables and figures of a run directory: each table in every text format, and charts as SVG.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "longbow/report/format.h"

namespace longbow {

class OutputFiles {
public:
    OutputFiles() = default;
    explicit OutputFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

    // Writes tables/NAME.{md,csv,tex,json,html}. Throws Error.
    void write_table(const std::string& name, const std::function<std::string(TextFormat)>& render);
    // Writes figures/NAME.svg. Throws Error.
    void write_figure(const std::string& name, const std::string& svg);

    // Returns what has been written.
    [[nodiscard]] const std::vector<std::filesystem::path>& written() const { return written_; }

private:
    void write(const std::filesystem::path& file, const std::string& text);

    std::filesystem::path folder_;
    std::vector<std::filesystem::path> written_;
};

}  // namespace longbow
