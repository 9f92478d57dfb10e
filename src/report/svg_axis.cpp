#include "svg_axis.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "longbow/core/strings.h"
#include "svg_text.h"

namespace longbow {

namespace {

constexpr std::size_t kMostTicks = 9;

// About `count` ticks over [low, high], at a round step (1, 2 or 5 times a power of ten).
std::vector<double> linear_ticks(double low, double high, int count) {
    const double raw = (high - low) / count;
    if (!std::isfinite(raw) || raw <= 0) return {};
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    double step = power * 10;
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> ticks;
    for (double i = std::ceil(low / step - 1e-9);
         i * step <= high * (1 + 1e-9) + 1e-12 && ticks.size() < 3 * kMostTicks; ++i)
        ticks.push_back(std::abs(i * step) < step * 1e-9 ? 0 : i * step);
    return ticks;
}

std::vector<double> thinned(std::vector<double> ticks) {
    while (ticks.size() > kMostTicks) {
        std::vector<double> half;
        for (std::size_t i = 0; i < ticks.size(); i += 2) half.push_back(ticks[i]);
        ticks = half;
    }
    return ticks;
}

std::vector<double> power_ticks(double low, double high, double base) {
    std::vector<double> ticks;
    const double first = std::ceil(std::log(low) / std::log(base) - 1e-9);
    // Losses of 700 nats are perplexities near the end of a double's range, so the loop counts exponents: the powers
    // themselves could overflow.
    const double last = std::floor(std::log(high) / std::log(base) + 1e-9);
    for (double power = first; power <= last; ++power) ticks.push_back(std::pow(base, power));
    return thinned(ticks);
}

// Returns 1, 2, 5, 10, 20, ..; only powers of ten where these would be too many.
std::vector<double> decimal_ticks(double low, double high) {
    if (high > 1000 * low) return power_ticks(low, high, 10);
    std::vector<double> ticks;
    for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10) {
        for (const double factor : {1.0, 2.0, 5.0}) {
            if (factor * power >= low * (1 - 1e-9) && factor * power <= high * (1 + 1e-9))
                ticks.push_back(factor * power);
        }
    }
    return ticks;
}

}  // namespace

double Axis::map(double value) const {
    const double l = log ? std::log2(low) : low;
    const double h = log ? std::log2(high) : high;
    const double v = log ? std::log2(value) : value;
    return begin + (v - l) / (h - l) * (end - begin);
}

bool Axis::shows(double value) const { return std::isfinite(value) && (!log || value > 0); }

Axis axis_over(const std::vector<ChartSeries>& series, bool of_x, bool log, double begin, double end) {
    Axis axis{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), begin, end, log};
    const auto take = [&](const std::vector<double>& values) {
        for (const double value : values) {
            if (!axis.shows(value)) continue;
            axis.low = std::min(axis.low, value);
            axis.high = std::max(axis.high, value);
        }
    };
    for (const auto& one : series) {
        take(of_x ? one.x : one.y);
        if (of_x) continue;
        take(one.low);
        take(one.high);
    }
    if (!(axis.low <= axis.high)) return {log ? 1.0 : 0.0, log ? 2.0 : 1.0, begin, end, log};
    const double room = of_x ? 0.03 : 0.08;  // so that no marker sits on the frame
    if (log) {
        const double ratio = axis.high > axis.low ? std::pow(axis.high / axis.low, room) : 2;
        axis.low /= ratio;
        axis.high = std::min(axis.high * ratio, std::numeric_limits<double>::max());
    } else {
        const double pad =
            axis.high > axis.low ? (axis.high - axis.low) * room : std::max(1.0, std::abs(axis.high) * 0.1);
        axis.low -= pad;
        axis.high += pad;
    }
    return axis;
}

std::vector<double> x_ticks_of(const Chart& chart, const Axis& x) {
    if (!chart.x_ticks.empty()) return chart.x_ticks;
    return x.log ? power_ticks(x.low, x.high, 2) : linear_ticks(std::max(0.0, x.low), x.high, 6);
}

std::vector<double> y_ticks_of(const Axis& y) {
    return y.log ? decimal_ticks(y.low, y.high) : linear_ticks(y.low, y.high, 6);
}

std::string tick_text(double value) {
    if (value >= 1000 && value < 1e7 && value == std::floor(value))
        return with_commas(static_cast<std::int64_t>(value));
    return fmt::format("{:g}", value);
}

std::vector<bool> labelled_ticks(const std::vector<double>& ticks, const Axis& x) {
    constexpr double kGap = 6;
    std::vector<bool> shown(ticks.size(), false);
    if (ticks.empty()) return shown;
    const auto half = [](double tick) { return 0.5 * text_width(tick_text(tick), 13); };
    shown.back() = true;
    const double end = x.map(ticks.back()) - half(ticks.back()) - kGap;
    double free_from = x.begin - 100;
    for (std::size_t i = 0; i + 1 < ticks.size(); ++i) {
        const double at = x.map(ticks[i]);
        if (at - half(ticks[i]) < free_from || at + half(ticks[i]) > end) continue;
        shown[i] = true;
        free_from = at + half(ticks[i]) + kGap;
    }
    return shown;
}

}  // namespace longbow
