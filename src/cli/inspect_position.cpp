// longbow inspect position: prints what a position method adds to the attention scores, as numbers (slopes, biases by
// distance, T5's buckets).
#include <fmt/core.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "inspect.h"
#include "longbow/attention/attention_backend.h"
#include "longbow/config/options.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/position/position_method.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct Flags {
    std::string method;
    std::int64_t heads = 8;
    std::int64_t length = 16;
    std::int64_t dim = 0;
    std::vector<std::string> options;
};

OptionValue parse_option(const OptionSpec& spec, const std::string& text) {
    const std::string where = "position." + spec.key + ": ";
    try {
        if (std::holds_alternative<std::string>(spec.default_value)) {
            for (const auto& choice : spec.choices) {
                if (choice == text) return text;
            }
            if (spec.choices.empty()) return text;
        } else if (std::holds_alternative<bool>(spec.default_value)) {
            if (text == "true" || text == "false") return text == "true";
        } else {
            std::size_t used = 0;
            const double number = std::stod(text, &used);
            const bool whole = std::holds_alternative<std::int64_t>(spec.default_value);
            if (used == text.size() && number >= spec.minimum.value_or(number) &&
                number <= spec.maximum.value_or(number) && (!whole || number == std::floor(number))) {
                return whole ? OptionValue(static_cast<std::int64_t>(number)) : OptionValue(number);
            }
        }
    } catch (const std::logic_error&) {
        // std::stod found no number; the error below says so.
    }
    throw UsageError(where + "\"" + text + "\" is not a value for it (" + spec.help + ")");
}

// Refuses an option that has no effect beside the others.
void check_effects(const PositionEntry& entry, const OptionMap& options) {
    Config config;
    config.position = {entry.name, 0, {}, options};
    fill_defaults(config.position.options, entry.options);
    for (const auto& spec : entry.options) {
        if (options.count(spec.key) == 0) continue;
        for (const auto& condition : spec.conditions) {
            if (!condition.holds(config))
                throw UsageError("position." + spec.key + " has no effect here: it needs " + condition.need);
        }
    }
}

OptionMap parse_options(const PositionEntry& entry, const std::vector<std::string>& texts) {
    OptionMap options;
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        const auto key = text.substr(0, equals);
        const OptionSpec* found = nullptr;
        std::vector<std::string> keys;
        for (const auto& spec : entry.options) {
            keys.push_back(spec.key);
            if (spec.key == key) found = &spec;
        }
        if (found == nullptr || equals == std::string::npos) {
            throw UsageError("\"" + text + "\" is not an option of position method \"" + entry.name +
                             "\"; options (key=value): " + (keys.empty() ? "none" : join(keys, ", ")));
        }
        options[key] = parse_option(*found, text.substr(equals + 1));
    }
    check_effects(entry, options);
    return options;
}

void print_slopes(const at::Tensor& slopes, std::int64_t length) {
    std::cout << "head  slope        bias at distance 0, 1, 2, " << length - 1
              << "  (-slope * distance, after the scores' 1/sqrt(head_dim))\n";
    for (std::int64_t head = 0; head < slopes.numel(); ++head) {
        const double slope = slopes[head].item<double>();
        std::cout << fmt::format("{:4}  {:<11.8g}  0 {:.6g} {:.6g} {:.6g}\n", head, slope, -slope, -2 * slope,
                                 -slope * static_cast<double>(length - 1));
    }
}

// Prints what is added to the scores of each of the first keys, and of the last.
void print_places(const at::Tensor& column, std::int64_t length) {
    std::cout << "head  bias of key 1, 2, 3, " << length - 1 << "  (after the scores' 1/sqrt(head_dim))\n";
    const auto values = column.to(torch::kDouble);
    for (std::int64_t head = 0; head < values.size(1); ++head) {
        const auto of = [&](std::int64_t key) { return values[0][head][std::min(key, length - 1)].item<double>(); };
        std::cout << fmt::format("{:4}  {:.6g} {:.6g} {:.6g} {:.6g}\n", head, of(1), of(2), of(3), of(length - 1));
    }
}

// Prints a column for each head. Neighbouring distances at which all heads have equal values (one bucket of T5) share a
// row.
void print_table(const at::Tensor& table, std::int64_t length) {
    const auto values = table.detach().to(torch::kDouble);
    const auto columns = values.size(1);
    std::cout << "distance        bias of each head\n";
    for (std::int64_t begin = 0; begin < length;) {
        const auto column = [&](std::int64_t distance) { return values.select(1, std::min(distance, columns - 1)); };
        std::int64_t end = begin + 1;
        while (end < length && column(end).equal(column(begin))) ++end;
        std::cout << fmt::format("{:<14}",
                                 end - begin == 1 ? std::to_string(begin) : fmt::format("{}-{}", begin, end - 1));
        for (std::int64_t head = 0; head < values.size(0); ++head)
            std::cout << fmt::format(" {:>9.5f}", column(begin)[head].item<double>());
        std::cout << '\n';
        begin = end;
    }
}

// Prints what is added between the last query and some of its keys. Values are a fresh model's.
void print_row(const BiasSpec& bias, std::int64_t length) {
    const torch::NoGradGuard no_grad;
    const auto dense = dense_bias(bias, 1, length, torch::kDouble).select(2, 0)[0];  // [1 or heads, length]
    std::cout << "head  bias of the last query to key 0, 1, " << length - 2 << ", " << length - 1 << '\n';
    for (std::int64_t head = 0; head < dense.size(0); ++head) {
        std::cout << fmt::format("{:4} ", head);
        for (const auto key : {std::int64_t{0}, std::int64_t{1}, length - 2, length - 1})
            std::cout << fmt::format(" {:.6g}",
                                     dense[head][std::clamp<std::int64_t>(key, 0, length - 1)].item<double>());
        std::cout << '\n';
    }
}

void print_bias(PositionMethod& method, std::int64_t length) {
    if (method.attends(0)) std::cout << "computes attention itself (attention.backend: reference)\n";
    if (const auto parts = method.parts_from_data(0); !parts.empty()) {
        std::cout << "made of each layer's tokens: " << parts.text() << '\n';
        return;
    }
    const torch::NoGradGuard no_grad;
    PositionCall call;
    call.evaluated_length = call.keys = length;
    call.positions = call.key_positions = torch::arange(length);
    const auto bias = method.bias(call);
    const auto parts = bias.parts();
    if (parts.empty() && !method.attends(0)) std::cout << "adds nothing to the attention scores\n";
    if (bias.slopes.defined()) print_slopes(bias.slopes, length);
    if (bias.table.defined()) {
        std::cout << "distances past " << bias.table.size(1) - 1
                  << " share the last value; values are a fresh model's (seed 1)\n";
        print_table(bias.table, length);
    }
    if (bias.column.defined()) print_places(bias.column, length);
    if (bias.curve) {
        auto last = bias;
        last.curve->row_scale = last.curve->row_scale.narrow(0, length - 1, 1);
        print_row(last, length);
    }
    constexpr BiasParts kShown = {BiasPart::slopes, BiasPart::table, BiasPart::places, BiasPart::curve};
    if (const auto others = parts.without(kShown); !others.empty()) std::cout << "also: " << others.text() << '\n';
}

int run(const Flags& flags) {
    PositionContext context{1, flags.dim > 0 ? flags.dim : 64 * flags.heads, flags.heads, flags.length, {}};
    for (const auto& entry : position_methods()) {
        if (entry.name == flags.method) {
            context.options = parse_options(entry, flags.options);
            std::cout << entry.name << ": " << entry.help << '\n';
        }
    }
    torch::manual_seed(1);
    const auto method = make_position_method(flags.method, context);
    print_bias(*method, flags.length);
    for (const auto& line : method->describe(flags.length)) std::cout << line << '\n';
    if (method->max_length() > 0) std::cout << "longest window: " << method->max_length() << '\n';
    return 0;
}

void add_inspect_position(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<Flags>();
    auto* verb = add_verb(
        inspect_group(app), context, "position", "What a position method adds to the attention scores, as numbers",
        "longbow inspect position alibi --heads 12\n  longbow inspect position t5 --length 200 buckets=16\n"
        "  longbow inspect position rotary --length 4096 scaling=yarn factor=4 original_length=1024");
    verb->add_option("METHOD", flags->method, "alibi, t5, .. (longbow config list)")->required();
    verb->add_option(kOptionArgument, flags->options, "Options of the method, as under position: in a config");
    verb->add_option("--heads", flags->heads, "Heads of a layer")
        ->type_name("H")
        ->check(whole_number(1, 4096))
        ->capture_default_str();
    verb->add_option("--length", flags->length, "Distances to show, and the window's length")
        ->type_name("L")
        ->check(whole_number(1, 1 << 20))
        ->capture_default_str();
    verb->add_option("--dim", flags->dim, "model.dim; default: 64 a head")
        ->type_name("D")
        ->check(whole_number(1, 1 << 20));
    run_with(verb, context, [flags](const CommonOptions&) { return run(*flags); });
}

LONGBOW_REGISTER_VERB(72, add_inspect_position);

}  // namespace

}  // namespace longbow
