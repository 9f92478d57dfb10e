// Makes the report page's tables of the runs' settings, and of the fingerprints of what was measured.
#include <algorithm>
#include <set>

#include "html.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"

namespace longbow {

std::string settings_html(const std::vector<ReportRun>& runs) {
    std::vector<const ReportRun*> with;
    std::set<std::string> keys;
    for (const auto& run : runs) {
        if (run.settings.empty()) continue;
        with.push_back(&run);
        for (const auto& [key, value] : run.settings) keys.insert(key);
    }
    if (with.empty()) return "";
    const auto value = [](const ReportRun& run, const std::string& key) {
        const auto found = run.settings.find(key);
        return found == run.settings.end() ? std::string("–") : found->second;
    };
    std::string differing, common;
    for (const auto& key : keys) {
        const auto first = value(*with.front(), key);
        const bool same =
            std::all_of(with.begin(), with.end(), [&](const ReportRun* run) { return value(*run, key) == first; });
        auto& rows = same ? common : differing;
        rows += "<tr><th scope=\"row\"><code>" + escape_html(key) + "</code></th>";
        for (const auto* run : with) {
            rows += "<td>" + escape_html(value(*run, key)) + "</td>";
            if (same) break;
        }
        rows += "</tr>\n";
    }
    std::string html = "<h2>Settings</h2>\n";
    if (!differing.empty()) {
        html +=
            "<p>What differs between the runs:</p><div class=\"scroll\"><table class=\"text\"><thead><tr><th scope=\"col\">key</th>";
        for (const auto* run : with) html += "<th scope=\"col\">" + escape_html(run->name) + "</th>";
        html += "</tr></thead><tbody>\n" + differing + "</tbody></table></div>\n";
    }
    if (!common.empty()) {
        html += std::string("<details><summary>") + (with.size() > 1 ? "What all runs share" : "All settings") +
                "</summary><div class=\"scroll\"><table class=\"text\"><tbody>\n" + common +
                "</tbody></table></div></details>\n";
    }
    return html;
}

std::string provenance_html(const std::vector<ReportRun>& runs) {
    std::string html =
        "<details><summary>Fingerprints</summary><div class=\"scroll\"><table class=\"text\"><thead><tr><th scope=\"col\">run</th>"
        "<th scope=\"col\">update</th><th scope=\"col\">corpus</th><th scope=\"col\">weights</th><th scope=\"col\">data</th><th "
        "scope=\"col\">tokenizer</th></tr></thead><tbody>\n";
    std::set<std::string> seen;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) {
            if (!seen.insert(row.name + row.checkpoint + row.data).second) continue;
            html += "<tr><th scope=\"row\">" + escape_html(row.name) + "</th><td>" + with_commas(row.updates) + "</td>";
            html += "<td>" + escape_html(row.data_name) + "</td>";
            for (const auto& print : {row.checkpoint, row.data, row.tokenizer})
                html += "<td><code>" + escape_html(print) + "</code></td>";
            html += "</tr>\n";
        }
    }
    return html + "</tbody></table></div></details>\n";
}

}  // namespace longbow
