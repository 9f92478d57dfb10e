#include "tensor_rules.h"

namespace longbow {

namespace {

using Sizes = TensorRules::Sizes;

Sizes row_major(const Sizes& shape) {
    Sizes strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    return strides;
}

struct Part {
    const char* name;
    std::int64_t rows;  // of one group
};

std::vector<Part> parts_of(const ModelConfig& model, std::int64_t groups) {
    const auto keys = model.key_value_heads() * model.head_size() / groups;
    return {{".q", model.heads * model.head_size() / groups}, {".k", keys}, {".v", keys}};
}

}  // namespace

void TensorRules::whole(const std::string& ours, const std::string& theirs, const Sizes& shape, bool prefixed) {
    add({ours, theirs, prefixed, shape, shape, 0, shape, row_major(shape)});
}

void TensorRules::linear(const std::string& ours, const std::string& theirs, std::int64_t out, std::int64_t in,
                         bool bias, bool prefixed) {
    whole(ours + ".weight", theirs + ".weight", {out, in}, prefixed);
    if (bias) whole(ours + ".bias", theirs + ".bias", {out}, prefixed);
}

void TensorRules::transposed_linear(const std::string& ours, const std::string& theirs, std::int64_t out,
                                    std::int64_t in, bool bias) {
    add({ours + ".weight", theirs + ".weight", true, {out, in}, {in, out}, 0, {out, in}, {1, out}});
    if (bias) whole(ours + ".bias", theirs + ".bias", {out});
}

void TensorRules::norm(const ModelConfig& model, const std::string& ours, const std::string& theirs) {
    if (!model.norm_weights) return;
    whole(ours + ".weight", theirs + ".weight", {model.dim});
    if (model.norm == NormKind::layernorm && model.has_bias(model.norm_bias))
        whole(ours + ".bias", theirs + ".bias", {model.dim});
}

void TensorRules::grouped_rows(const ModelConfig& model, const std::string& ours, const std::string& theirs,
                               std::int64_t groups, bool bias) {
    const auto parts = parts_of(model, groups);
    std::int64_t rows = 0;  // of a group
    for (const auto& part : parts) rows += part.rows;
    std::int64_t first = 0;
    for (const auto& part : parts) {
        const auto all = part.rows * groups;
        add({ours + part.name + ".weight",
             theirs + ".weight",
             true,
             {all, model.dim},
             {rows * groups, model.dim},
             first * model.dim,
             {groups, part.rows, model.dim},
             {rows * model.dim, model.dim, 1}});
        if (bias) {
            add({ours + part.name + ".bias",
                 theirs + ".bias",
                 true,
                 {all},
                 {rows * groups},
                 first,
                 {groups, part.rows},
                 {rows, 1}});
        }
        first += part.rows;
    }
}

void TensorRules::block_columns(const ModelConfig& model, const std::string& ours, const std::string& theirs,
                                bool bias) {
    const auto parts = parts_of(model, 1);
    std::int64_t columns = 0;
    for (const auto& part : parts) columns += part.rows;
    std::int64_t first = 0;
    for (const auto& part : parts) {
        add({ours + part.name + ".weight",
             theirs + ".weight",
             true,
             {part.rows, model.dim},
             {model.dim, columns},
             first,
             {part.rows, model.dim},
             {1, columns}});
        if (bias) {
            add({ours + part.name + ".bias", theirs + ".bias", true, {part.rows}, {columns}, first, {part.rows}, {1}});
        }
        first += part.rows;
    }
}

}  // namespace longbow
