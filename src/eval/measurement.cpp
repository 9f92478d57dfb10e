#include "longbow/eval/measurement.h"

#include <fmt/core.h>

#include "longbow/core/dtype.h"
#include "longbow/core/strings.h"
#include "longbow/eval/protocol.h"

namespace longbow {

namespace {

// Visits every part once. Calls `part(which, value)`.
template <class Visit>
void visit_parts(const Measurement& m, Visit&& part) {
    part(Measurement::kProtocol, m.protocol);
    part(Measurement::kLength, std::to_string(m.length));
    part(Measurement::kStride, std::to_string(m.stride));
    part(Measurement::kDocuments, std::string(m.within_documents ? "documents" : "stream"));
    part(Measurement::kLimit, std::to_string(m.max_stream_tokens));
    part(Measurement::kDtype, m.dtype);
    part(Measurement::kSplit, m.split);
    part(Measurement::kCheckpoint, m.checkpoint);
    part(Measurement::kData, m.data);
    part(Measurement::kTokenizer, m.tokenizer);
    part(Measurement::kConfig, m.config);
    part(Measurement::kDataSet, m.data_set);
    const auto bos = m.bos ? m.bos : default_bos(m.protocol);
    part(Measurement::kBos, bos ? std::string(name_of(*bos)) : std::string());
    part(Measurement::kTruncate, std::string(m.truncate ? "truncated" : "whole"));
    part(Measurement::kLeastDocument, std::to_string(m.min_document_tokens));
}

}  // namespace

std::string Measurement::key(unsigned parts) const {
    std::string key;
    visit_parts(*this, [&](Part which, const std::string& value) {
        if ((parts & which) != 0) key += value + "\n";  // no name contains an end of line
    });
    return key;
}

bool Measurement::matches(const Measurement& other, unsigned parts) const {
    if (data_set.empty() || other.data_set.empty()) parts &= ~kDataSet;
    return key(parts) == other.key(parts);
}

std::string Measurement::text() const {
    auto words = fmt::format("length {}", length);
    if (!truncate && stride != protocol_named(protocol).stride_at(length)) words += fmt::format(", stride {}", stride);
    words += ", protocol " + protocol + ", " + split + (split == "text" || split == "ids" ? "" : " split");
    if (within_documents) words += ", within documents";
    words += rules_text();
    if (max_stream_tokens > 0) words += ", first " + with_commas(max_stream_tokens) + " tokens";
    return dtype == name_of(DType::fp32) ? words : words + ", " + dtype;
}

std::string Measurement::rules_text() const {
    std::string words;
    if (bos && bos != default_bos(protocol)) words += ", BOS " + std::string(name_of(*bos));
    if (truncate) words += ", one window a document";
    if (min_document_tokens > 0) words += ", documents of " + with_commas(min_document_tokens) + " tokens or more";
    return words;
}

}  // namespace longbow
