#include "longbow/report/html_page.h"

#include "longbow/report/escape.h"

namespace longbow {

namespace {

constexpr const char* kPageStyle = R"css(
:root { --ink: #1c2330; --soft: #566070; --rule: #dde2ea; --ground: #f6f7f9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 880px; margin: 0 auto; padding: 2.5rem 2rem 4rem; background: #fff; min-height: 100vh; }
header { border-bottom: 2px solid var(--ink); margin-bottom: 1.5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; }
p { margin: .4rem 0 1rem; }
.under, header p, figcaption { color: var(--soft); }
.scroll, .chart { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .95rem; margin: .5rem 0 1rem; }
th, td { padding: .42rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; font-size: .88rem; vertical-align: bottom; }
th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 500; }
table.text td, table.text th { text-align: left; white-space: normal; overflow-wrap: break-word; }
table.text th:first-child { white-space: nowrap; }
td.best { font-weight: 700; }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .55em; }
figure { margin: 1.2rem 0 1.8rem; }
figcaption { font-size: .9rem; max-width: 78ch; }
.legend { display: none; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem; }
svg { display: block; min-width: 560px; max-width: 100%; height: auto; }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; color: var(--accent); }
li { margin: .35rem 0; }
@media (max-width: 640px) { .legend { display: flex; } main { padding: 1.2rem 1rem 3rem; } h1 { font-size: 1.4rem; } body { font-size: 15px; } }
@media print { body, main { background: #fff; } main { padding: 0; } }
)css";

}  // namespace

std::string html_page(const std::string& title, const std::string& body) {
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
           escape_html(title) + "</title>\n<style>\n" + kPageStyle + "</style>\n</head>\n<body>\n<main>\n" + body +
           "</main>\n</body>\n</html>\n";
}

std::string html_figure(const Chart& chart) {
    std::string legend;  // shown on narrow screens, where the labels at the lines' ends are out of view
    for (const auto& series : chart.series) {
        legend += "<span><span class=\"key\" style=\"background:" + style_colour(series.style) + "\"></span>" +
                  escape_html(series.label) + "</span>";
    }
    return "<figure><div class=\"legend\">" + legend + "</div><div class=\"chart\">" + chart_svg(chart) +
           "</div><figcaption>" + escape_html(chart.caption) + "</figcaption></figure>\n";
}

}  // namespace longbow
