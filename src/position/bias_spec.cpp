#include "longbow/position/bias_spec.h"

#include "longbow/core/strings.h"

namespace longbow {

std::string BiasParts::text() const {
    std::vector<std::string> names;
    for (const auto& part : ChoiceTable<BiasPart>::values) {
        if (has(part.value)) names.emplace_back(part.name);
    }
    return join(names, ", ");
}

BiasParts BiasSpec::parts() const {
    BiasParts parts;
    const auto count = [&](bool used, BiasPart part) {
        if (used) parts.add(part);
    };
    count(slopes.defined(), BiasPart::slopes);
    count(query_slopes.defined(), BiasPart::query_slopes);
    count(key_slopes.defined(), BiasPart::key_slopes);
    count(table.defined(), BiasPart::table);
    count(row.defined() || column.defined(), BiasPart::places);
    count(curve.has_value(), BiasPart::curve);
    count(channel.defined(), BiasPart::channel);
    count(positions.defined(), BiasPart::positions);
    count(sinks > 0, BiasPart::sinks);
    count(sink_logit.defined(), BiasPart::sink_logit);
    return parts;
}

bool BiasSpec::requires_grad() const {
    bool any = false;
    for_each_tensor([&](const at::Tensor& tensor) { any = any || tensor.requires_grad(); });
    return any;
}

}  // namespace longbow
