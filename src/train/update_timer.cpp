#include "longbow/train/update_timer.h"

#include <unistd.h>

#include <cstdlib>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "session.h"
#include "store.h"
#include "update.h"

namespace longbow {

struct UpdateTimer::Impl {
    Session session;
};

namespace {

class TemporaryFolder {
public:
    TemporaryFolder() : path_((fs::temp_directory_path() / "longbow-bench-XXXXXX").string()) {
        if (::mkdtemp(path_.data()) == nullptr) throw_file_error("cannot make", path_);
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] fs::path path() const { return path_; }

private:
    std::string path_;
};

TrainRequest without_run(TrainRequest request) {
    request.resume = ResumeRule::never;
    request.validate = false;
    return request;
}

// The store's files stay mapped when their names are removed, so the folder need not outlive this call.
Session open_with_own_store(TrainRequest request) {
    check_missing_store(request);
    const StopHandlersScope handlers;
    try {
        const TemporaryFolder folder;
        request.config.data.store = (folder.path() / "store").string();
        auto session = open_session(request);
        if (!stop_requested()) return session;
    } catch (const Error&) {
        if (!stop_requested()) throw;
    }
    throw InterruptedError(std::string("stopped by ") + stop_signal_name() + "; nothing is kept");
}

Session open_for_timing(const TrainRequest& request) {
    return store_exists(request) ? open_session(request) : open_with_own_store(request);
}

}  // namespace

UpdateTimer::UpdateTimer(const TrainRequest& request) : impl_(new Impl{open_for_timing(without_run(request))}) {}
UpdateTimer::~UpdateTimer() = default;
double UpdateTimer::step() { return run_update(impl_->session).seconds; }
double UpdateTimer::tokens_per_update() const { return impl_->session.units.tokens_per_update; }
const std::string& UpdateTimer::gemm_library() const { return impl_->session.state.gemm_library; }

}  // namespace longbow
