// Starts a kernel through the calls of the CUDA runtime in an order that keeps the cause of a failure. The runtime
// remembers the error of a failed call until someone asks for it, so that what a call leaves would be blamed on the
// next kernel of any library in the process.
#pragma once

namespace longbow::device {

struct StartResult {
    int error = 0;         // the runtime's code; 0: the kernel was started
    bool earlier = false;  // the runtime remembered the error before this kernel was touched
};

// A Runtime has three functions. take_error() returns the remembered error and makes the runtime forget it (which it
// does not if a fault has destroyed the context); raise_shared_limit() allows the kernel more than 48 KiB of shared
// memory and returns an error; launch() starts the kernel and leaves an error for take_error().
template <class Runtime>
StartResult start_through(const Runtime& runtime, bool much_shared_memory) {
    if (const int error = runtime.take_error()) return {error, true};
    if (much_shared_memory) {
        if (const int error = runtime.raise_shared_limit()) {
            runtime.take_error();
            return {error, false};
        }
    }
    runtime.launch();
    return {runtime.take_error(), false};
}

}  // namespace longbow::device
