// Counts how often the host waited for the device, and does what a wait does: copies that were queued are done after
// it.
#pragma once

#include <cstddef>
#include <string>

namespace pretend {

// Counts a wait by its reason; every copy queued before is done.
void waited(const std::string& why);
// Counts what stops the host without finishing what was queued: a copy from pageable memory, which is staged.
void staged(const std::string& why);
long wait_count();
// Counts an operator. The report lists all names, so that a test can see what ran on the device.
void ran(const std::string& name);

// A copy from pinned memory to the device was queued. Until the next wait its source may not change; that is a fault.
void queue_upload(const void* source, std::size_t bytes, const void* storage);
// A copy from the device to pinned memory was queued. The target is NaN until the next wait; then it has what `values`
// hold now.
void queue_download(void* target, const void* values, std::size_t bytes, const void* storage);

}  // namespace pretend
