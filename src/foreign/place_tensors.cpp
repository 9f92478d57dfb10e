#include "place_tensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

void check(const TensorRule& rule, const std::string& name, const ForeignTensor& tensor, const std::string& model) {
    const std::string where = tensor.file + ": tensor " + name;
    if (!is_floating(tensor.dtype)) {
        throw CheckpointError(where + " has elements of " + quote_foreign(tensor.type) +
                              ", not floating-point numbers: a quantized model cannot be imported from such files");
    }
    if (tensor.shape == rule.theirs_shape) return;
    auto reversed = tensor.shape;
    std::reverse(reversed.begin(), reversed.end());
    throw CheckpointError(fmt::format("{} has the shape {}, by the settings of {} it has {}{}", where,
                                      shape_of(tensor.shape), model, shape_of(rule.theirs_shape),
                                      reversed == rule.theirs_shape
                                          ? ": it is transposed, or its settings are another model's"
                                          : ": the settings are another model's, or the file is damaged"));
}

}  // namespace

void TensorPlacer::drop(bool (*unwanted)(const std::string& name)) {
    std::erase_if(store_.tensors, [&](const auto& entry) {
        if (!unwanted(entry.first)) return false;
        model_.buffers.push_back(entry.first);
        return true;
    });
}

void TensorPlacer::place(const TensorRules& rules) {
    for (const auto& rule : rules.all()) {
        const std::string name = (rule.prefixed ? model_.prefix : "") + rule.theirs;
        auto known = taken_.find(name);
        if (known == taken_.end()) {
            const auto found = store_.tensors.find(name);
            if (found == store_.tensors.end()) {
                std::vector<std::string> left;
                for (const auto& [other, _] : store_.tensors) left.push_back(other);
                const auto near = nearest(name, left);
                throw CheckpointError(fmt::format(
                    "{} has no tensor {}, which a model with its settings has{}: the folder is not complete, or the "
                    "settings are another model's",
                    store_.name, name, near ? " (it has " + quote_foreign(*near) + ")" : ""));
            }
            check(rule, name, found->second, model_.name);
            known = taken_.emplace(name, std::move(found->second)).first;
            store_.tensors.erase(found);
        }
        model_.tensors.push_back(
            {rule.ours, name, rule.ours_shape, known->second, rule.offset, rule.sizes, rule.strides});
    }
}

void TensorPlacer::take_repeated(const std::string& name, const std::string& kept) {
    const auto found = store_.tensors.find(name);
    const auto& one = taken_.at(kept);
    const auto& other = found->second;
    const auto same = [&] {
        if (one.dtype != other.dtype || one.shape != other.shape || one.type != other.type) return false;
        const auto first = one.read(), second = other.read();
        return first.bytes.size() == second.bytes.size() &&
               (first.bytes.empty() || std::memcmp(first.bytes.data(), second.bytes.data(), first.bytes.size()) == 0);
    };
    if (!same()) {
        throw CheckpointError(
            other.file + ": tensors " + name + " and " + kept +
            " are one by the settings (tie_word_embeddings), and differ: the file is damaged, or config.json needs "
            "tie_word_embeddings: false");
    }
    model_.repeated.push_back({name, kept});
    store_.tensors.erase(found);
}

void TensorPlacer::finish() const {
    if (store_.tensors.empty()) return;
    const auto& [name, tensor] = *store_.tensors.begin();
    throw CheckpointError(fmt::format(
        "{}: tensor {} {}{} has no place in a model with the settings of {}: they are another model's, or the file has "
        "more than a language model",
        tensor.file, quote_foreign(name), shape_of(tensor.shape),
        store_.tensors.size() > 1 ? fmt::format(" (and {} more)", store_.tensors.size() - 1) : "", model_.name));
}

}  // namespace longbow
