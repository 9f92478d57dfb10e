#include "longbow/attention/dropout_seed.h"

#include <ATen/CPUGeneratorImpl.h>

#include <mutex>

namespace longbow {

std::int64_t draw_dropout_seed() {
    auto generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard lock(generator.mutex());
    return static_cast<std::int64_t>(at::check_generator<at::CPUGeneratorImpl>(generator)->random64());
}

}  // namespace longbow
