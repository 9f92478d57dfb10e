#include "longbow/telemetry/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <mutex>

#include "longbow/core/error.h"
#include "longbow/core/utf8.h"
#include "longbow/telemetry/progress.h"

namespace longbow::log {

namespace {

struct State {
    std::shared_ptr<spdlog::sinks::sink> terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    std::shared_ptr<spdlog::sinks::sink> file;
    std::shared_ptr<spdlog::logger> logger;
    bool quiet = false;
    State() {
        terminal->set_pattern("%^%v%$");
        rebuild();
    }
    // A log file that cannot be written (full disk, limit on file sizes) does not end the run. It is reported once. The
    // sink is silenced and not removed, because the logger is using it.
    void stop_logging_to_file(const std::string& what) {
        if (!file || file->level() == spdlog::level::off) return;
        file->set_level(spdlog::level::off);
        std::fprintf(stderr, "warning: %s; the run continues without a log file\n", what.c_str());
    }
    void rebuild() {
        const auto level = logger ? logger->level() : spdlog::level::info;
        logger = std::make_shared<spdlog::logger>("longbow", terminal);
        if (file) logger->sinks().push_back(file);
        logger->set_level(level);
        logger->flush_on(spdlog::level::info);
        logger->set_error_handler([this](const std::string& what) { stop_logging_to_file(what); });
    }
};

State& state() {
    static State instance;
    return instance;
}

// log.txt is always UTF-8, though names of files in a message need not be.
void write(spdlog::level::level_enum level, const char* prefix, const std::string& message) {
    auto& s = state();
    if (s.logger->should_log(level) && s.terminal->should_log(level)) erase_progress_line();
    s.logger->log(level, "{}{}", prefix, escape_invalid_utf8(message));
}

}  // namespace

void initialize(const std::string& level, bool quiet) {
    auto& s = state();
    s.quiet = quiet;
    s.logger->set_level(spdlog::level::from_str(level));
    s.terminal->set_level(quiet ? spdlog::level::warn : spdlog::level::trace);
}

void initialize_rank(int rank, const std::string& level) {
    initialize(level, /*quiet=*/true);
    state().terminal->set_pattern("[rank " + std::to_string(rank) + "] %^%v%$");
}

void add_file(const std::filesystem::path& path) {
    auto& s = state();
    try {
        s.file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
    } catch (const spdlog::spdlog_ex& error) {
        throw Error(std::string("cannot write the log file: ") + error.what());
    }
    s.file->set_pattern("%Y-%m-%d %H:%M:%S %L %v");
    s.rebuild();
}

void remove_file() {
    state().file.reset();
    state().rebuild();
}

void debug(const std::string& message) { write(spdlog::level::debug, "", message); }
void info(const std::string& message) { write(spdlog::level::info, "", message); }
void to_file(const std::string& message) {
    if (!state().file) return;
    spdlog::logger only_file("longbow", state().file);
    only_file.info("{}", escape_invalid_utf8(message));
    only_file.flush();
}
void warn(const std::string& message) { write(spdlog::level::warn, "warning: ", message); }
void error(const std::string& message) { write(spdlog::level::err, "error: ", message); }
void flush() { state().logger->flush(); }
bool is_quiet() { return state().quiet; }

}  // namespace longbow::log
