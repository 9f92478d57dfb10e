#include "longbow/report/output_files.h"

#include <utility>

#include "longbow/core/files.h"

namespace longbow {

void OutputFiles::write_table(const std::string& name, const std::function<std::string(TextFormat)>& render) {
    using Ending = std::pair<TextFormat, const char*>;
    for (const auto& [format, ending] :
         {Ending{TextFormat::markdown, ".md"}, Ending{TextFormat::csv, ".csv"}, Ending{TextFormat::latex, ".tex"},
          Ending{TextFormat::json, ".json"}, Ending{TextFormat::html, ".html"}})
        write(folder_ / "tables" / (name + ending), render(format));
}

void OutputFiles::write_figure(const std::string& name, const std::string& svg) {
    write(folder_ / "figures" / (name + ".svg"), svg);
}

void OutputFiles::write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    write_file_atomic(file, text);
    written_.push_back(file);
}

}  // namespace longbow
