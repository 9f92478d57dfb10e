// Tests the reader of text files: compression, character boundaries, byte order marks, and errors in damaged files.
#include "longbow/text/reader.h"

#include <gmock/gmock.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "longbow/core/hash.h"
#include "random_text.h"
#include "scratch.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

std::string gzip(const std::string& text) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()) + 32, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string xz(const std::string& text) {
    std::string out(lzma_stream_buffer_bound(text.size()), '\0');
    std::size_t size = 0;
    EXPECT_EQ(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()),
                                      text.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size()),
              LZMA_OK);
    out.resize(size);
    return out;
}

std::string zst(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    auto* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
    ZSTD_freeCCtx(context);
    return out;
}

std::string read_all(const std::string& path, std::size_t limit = 1000) {
    TextReader reader(path);
    std::string text;
    while (reader.read(text, limit)) {
    }
    EXPECT_EQ(reader.text_position(), text.size());
    EXPECT_EQ(reader.fingerprint(), fingerprint(text));
    return text;
}

class ReaderTest : public Scratch {};

TEST_F(ReaderTest, ReadsPlainAndEveryCompression) {
    Random random(1);
    std::string text = random_text(random, 60'000);
    for (const auto& file :
         {write("a.txt", text), write("a.gz", gzip(text)), write("a.xz", xz(text)), write("a.zst", zst(text))}) {
        EXPECT_EQ(read_all(file), text) << file;
        EXPECT_EQ(read_all(file, 1 << 22), text) << file;
        TextReader reader(file);
        for (std::string all; reader.read(all, 100'000);) {
        }
        EXPECT_EQ(reader.compressed_position(), std::filesystem::file_size(file));
    }
}

TEST_F(ReaderTest, EveryPieceIsWholeCharacters) {
    Random random(2);
    const auto text = random_text(random, 3000);
    TextReader reader(write("a.gz", gzip(text)));
    std::string joined;
    for (std::string piece; reader.read(piece, 17); piece.clear()) {
        EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
        EXPECT_LE(piece.size(), 17U);
        joined += piece;
    }
    EXPECT_EQ(joined, text);
}

TEST_F(ReaderTest, ConcatenatedMembersAreOneText) {
    // A character that is cut between two members is whole in the text.
    EXPECT_EQ(read_all(write("a.gz", gzip("one \xC3") + gzip("\xA9 two") + gzip(""))), "one \xC3\xA9 two");
    EXPECT_EQ(read_all(write("b.gz", gzip("one") + std::string(512, '\0'))), "one");
    EXPECT_EQ(read_all(write("a.xz", xz("one ") + xz("two"))), "one two");
    EXPECT_EQ(read_all(write("a.zst", zst("one ") + zst("") + zst("two"))), "one two");
    const std::string skippable("\x50\x2A\x4D\x18\x03\0\0\0abc", 11);
    EXPECT_EQ(read_all(write("b.zst", skippable + zst("one"))), "one");
}

TEST_F(ReaderTest, EmptyFilesAndEmptyArchives) {
    for (const auto& file : {write("a", ""), write("a.gz", gzip("")), write("a.xz", xz("")), write("a.zst", zst(""))}) {
        EXPECT_EQ(read_all(file), "") << file;
    }
}

TEST_F(ReaderTest, ByteOrderMarkAtTheStartIsNotText) {
    EXPECT_EQ(read_all(write("a", "\xEF\xBB\xBFtext \xEF\xBB\xBF.")), "text \xEF\xBB\xBF.");
    EXPECT_EQ(read_all(write("only", "\xEF\xBB\xBF")), "");
    EXPECT_THAT(data_error([&] { read_all(write("b", "\xEF\xBB\xBFtext\xFF")); }), HasSubstr("byte 7"));
}

TEST_F(ReaderTest, NamesTheFirstInvalidByte) {
    const std::string good(5000, 'x');
    for (const std::string bad :
         {"\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\x80", "\xE0\x80\x80"}) {
        for (const auto& file : {write("bad", good + bad), write("bad.gz", gzip(good + bad + "x"))}) {
            const auto message = data_error([&] { read_all(file); });
            EXPECT_THAT(message, HasSubstr(file + ": byte 5000 "));
        }
    }
    EXPECT_THAT(data_error([&] {
                    read_all(write("utf16", std::string("\xFF\xFE"
                                                        "a\0",
                                                        4)));
                }),
                HasSubstr("utf16: the file begins with the byte order mark of UTF-16: convert it to UTF-8"));
    for (const std::string& text : {std::string("\xFF\xFE\0\0a\0\0\0", 8), std::string("\0\0\xFE\xFF\0\0\0a", 8)}) {
        EXPECT_THAT(data_error([&] { read_all(write("utf32", text)); }),
                    HasSubstr("utf32: the file begins with the byte order mark of UTF-32"));
        EXPECT_THAT(data_error([&] { read_all(write("utf32.gz", gzip(text))); }),
                    HasSubstr("byte order mark of UTF-32"));
    }
}

TEST_F(ReaderTest, AFileThatGrowsIsReadToItsEnd) {
    const auto file = write("growing", "one two ");
    TextReader reader(file);
    std::ofstream(file, std::ios::app) << std::string(20000, 'x');
    std::string text;
    while (reader.read(text, 1 << 22)) {
    }
    EXPECT_EQ(text, "one two " + std::string(20000, 'x'));
}

TEST_F(ReaderTest, MissingFilesAndFolders) {
    EXPECT_THAT(data_error([&] { read_all((folder_ / "none").string()); }), HasSubstr("none: No such file"));
    EXPECT_THAT(data_error([&] { read_all(folder_.string()); }), HasSubstr("it is a folder"));
}

TEST_F(ReaderTest, TruncatedArchivesAreErrorsAtEveryLength) {
    Random random(3);
    const auto text = random_text(random, 400);
    for (const auto& whole : {gzip(text), xz(text), zst(text)}) {
        for (std::size_t size = 6; size < whole.size(); size += 7) {
            const auto file = write("cut", whole.substr(0, size));
            EXPECT_THAT(data_error([&] { read_all(file); }), HasSubstr(file)) << size;
        }
    }
    EXPECT_THAT(data_error([&] { read_all(write("tail.gz", gzip("x") + "junk")); }), HasSubstr("after the end"));
}

// Whatever is damaged, the result is the text or an error that names the file, never a crash and never other text. Each
// format has a checksum; damage to unused fields in the header of gzip or zstd may leave the text unchanged.
TEST_F(ReaderTest, DamageIsFound) {
    Random random(4);
    const auto text = random_text(random, 2000);
    for (const auto& whole : {gzip(text), xz(text), zst(text)}) {
        for (int i = 0; i < 150; ++i) {
            auto damaged = whole;
            auto& byte = damaged[6 + random.below(damaged.size() - 6)];
            byte = static_cast<char>(byte ^ (1 + random.below(255)));
            const auto file = write("damaged", damaged);
            std::string found;
            const auto message = data_error([&] { found = read_all(file); });
            if (message == "no DataError")
                EXPECT_EQ(found, text);
            else
                EXPECT_THAT(message, HasSubstr(file));
        }
    }
}

TEST(Utf8Test, FindsInvalidSequencesWhereverTheyStand) {
    Random random(5);
    for (int i = 0; i < 300; ++i) {
        const auto text = random_text(random, 40);
        EXPECT_EQ(find_invalid_utf8(text), std::string::npos);
        std::size_t at = 0;  // put an invalid byte where a character begins
        for (auto steps = random.below(30); steps > 0 && at < text.size(); --steps) {
            at += decode_utf8(std::string_view(text).substr(at)).length;
        }
        EXPECT_EQ(find_invalid_utf8(text.substr(0, at) + '\xFE' + text.substr(at)), at);
    }
}

TEST(Utf8Test, CharactersComeBackFromEitherEnd) {
    for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 61) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        append_utf8(text, c);
        EXPECT_EQ(decode_utf8(text).value, c);
        EXPECT_EQ(decode_utf8_back("\xC3\xA9" + text).value, c);
        EXPECT_EQ(decode_utf8_back("x" + text).length, text.size());
        for (std::size_t cut = 1; cut < text.size(); ++cut)
            EXPECT_EQ(incomplete_utf8_tail("x" + text.substr(0, cut)), cut);
        EXPECT_EQ(incomplete_utf8_tail(text), 0U);
    }
}

}  // namespace
}  // namespace longbow
