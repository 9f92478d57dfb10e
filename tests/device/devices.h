// The pretend devices: how many there are, and which of them the calling thread uses.
#pragma once

namespace pretend {

int device_count();  // LONGBOW_PRETEND_DEVICES, by default 1
int& current_device();

}  // namespace pretend
