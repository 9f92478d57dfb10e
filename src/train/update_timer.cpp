#include "longbow/train/update_timer.h"

#include "session.h"
#include "update.h"

namespace longbow {

struct UpdateTimer::Impl {
    Session session;
};

namespace {

TrainRequest without_run(TrainRequest request) {
    request.resume = ResumeRule::never;
    request.validate = false;
    return request;
}

}  // namespace

UpdateTimer::UpdateTimer(const TrainRequest& request) : impl_(new Impl{open_session(without_run(request))}) {}
UpdateTimer::~UpdateTimer() = default;
double UpdateTimer::step() { return run_update(impl_->session).seconds; }
double UpdateTimer::tokens_per_update() const { return impl_->session.units.tokens_per_update; }
const std::string& UpdateTimer::gemm_library() const { return impl_->session.state.gemm_library; }

}  // namespace longbow
