// The output heads' part of the account: chunked_loss.cpp, linear_head.cpp, adaptive_head.cpp.
#include <algorithm>
#include <cmath>

#include "memory_layer.h"

namespace longbow {

namespace {

// One chunked loss over `tokens` hidden states [tokens, dim] and a matrix [rows, dim].
struct ChunkedLoss {
    double kept;  // gradients of both, formed in the forward pass
    double most;  // beside these, at one moment of a chunk
};

ChunkedLoss chunked_loss_memory(double tokens, double rows, double dim, double chunk, const PassSizes& pass) {
    const double matrix = rows * dim;
    chunk = std::min(chunk, tokens);
    ChunkedLoss loss{};
    loss.kept = (tokens * dim + matrix) * pass.wide;
    // Hidden states and matrix in half precision, held through all chunks.
    const double casts = pass.half ? (tokens * dim + matrix) * pass.narrow : 0;
    const double logits = chunk * rows * pass.narrow;
    // The softmax in a tensor of its own: on a GPU of the whole chunk, on a CPU of as many rows as stay in the cache, none in fp32.
    constexpr double kCached = 1 << 18;
    const bool in_place = !pass.cuda && !pass.half && pass.wide == 4;
    const double softmax_numbers = pass.cuda ? chunk * rows : in_place ? 0 : std::min(chunk * rows, std::max(rows, kCached));
    const double softmax = softmax_numbers * pass.wide * (pass.half ? 2 : 1);
    // The matrix's gradient of this chunk, before it is added: none where the product adds by itself.
    constexpr double kSmallMatrix = 4 << 20, kFewestRows = 64;
    double product = 0;
    if (pass.half) {
        product = matrix * pass.narrow;
    } else if (pass.onednn && matrix <= kSmallMatrix) {
        const bool first_only = chunk >= tokens;
        product = (rows > dim ? 2 : 1) * matrix * pass.wide - (first_only ? matrix * pass.wide : 0);  // and its transpose
        product += (rows > dim ? chunk * dim : chunk * rows) * pass.wide;
    }
    const double threads = matrix <= kSmallMatrix ? std::min(row_threads(pass, matrix).threads, std::floor(chunk / kFewestRows)) : 1;
    if (threads > 1) {
        // Each thread's rows; one of the matrices is kept.
        const RowThreads each{threads, std::ceil(tokens / threads)};
        product = (each.matrices(chunk / threads) - 1) * matrix * pass.wide + chunk * dim * pass.wide;
    }
    loss.most = casts + logits + std::max(softmax, product);
    return loss;
}

// Shares of the words in each band, by Zipf's law over the ranks of the vocabulary.
std::vector<double> band_shares(const ModelSizes& sizes) {
    double words = 0;
    for (const auto& band : sizes.bands) words += static_cast<double>(band.words);
    std::vector<double> shares;
    double begin = 1;
    for (const auto& band : sizes.bands) {
        const double end = begin + static_cast<double>(band.words);
        shares.push_back(std::log(end / begin) / std::log(words + 1));
        begin = end;
    }
    return shares;
}

double chunk_of_band(const Config& config, const ModelSizes& sizes, std::size_t band) {
    constexpr std::int64_t kFewestTokens = 32;
    const auto chunk = config.train.loss_chunk;
    if (band == 0) return static_cast<double>(chunk);
    return static_cast<double>(
        std::clamp(chunk * sizes.bands[0].rows / sizes.bands[band].rows, std::min(chunk, kFewestTokens), std::max(chunk, kFewestTokens)));
}

}  // namespace

HeadMemory head_memory(const Config& config, const ModelSizes& sizes, const PassSizes& pass) {
    const auto shares = band_shares(sizes);
    const double dim = static_cast<double>(config.model.dim);
    HeadMemory head;
    double held = config.model.output_dropout > 0 ? pass.tokens * dim * pass.wide : 0;
    for (std::size_t i = 0; i < sizes.bands.size(); ++i) {
        const auto& band = sizes.bands[i];
        const double rows = static_cast<double>(band.rows);
        const double band_dim = static_cast<double>(band.dim);
        const double tokens = i == 0 ? pass.tokens : pass.tokens * shares[i];
        if (i > 0) {
            // The tokens of this band, gathered (kept by the projection, in its type) and projected.
            const double gathered = tokens * dim * pass.narrow + tokens * band_dim * pass.narrow;
            held += gathered;
            head.handed_on += gathered;
        }
        const auto loss = chunked_loss_memory(tokens, rows, band_dim, chunk_of_band(config, sizes, i), pass);
        head.loss = std::max(head.loss, held + loss.kept + loss.most);
        held += loss.kept;
        head.handed_on += loss.kept;
        head.weight_gradients += rows * band_dim * pass.wide;
    }
    // Each band's tokens go back to their places in a tensor of all tokens, which is added to the sum.
    if (sizes.bands.size() > 1) head.hidden_gradient = 2 * pass.tokens * dim * pass.wide;
    return head;
}

double head_evaluation(const Config& config, const ModelSizes& sizes, const PassSizes& pass) {
    const double rows = static_cast<double>(sizes.bands[0].rows);
    const double chunk = std::min(static_cast<double>(config.train.loss_chunk), pass.tokens);
    // Logits and, but for fp32 on a CPU, their logarithms; in half precision the matrix's copy, and the logits before they are widened.
    const double logits = (!pass.cuda && pass.wide == 4 ? 1 : 2) * chunk * rows * pass.wide;
    return pass.half ? logits + (chunk * rows + rows * static_cast<double>(sizes.bands[0].dim)) * pass.narrow : logits;
}

}  // namespace longbow
