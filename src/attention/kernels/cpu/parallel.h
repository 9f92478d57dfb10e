// Starting tasks in the threads that a call offers.
#pragma once

#include "attention/kernels/params.h"

namespace longbow::cpu {

// Returns when task(0) .. task(tasks - 1) are done.
template <class Task>
void run(const longbow_parallel* parallel, int tasks, const Task& task) {
    if (tasks == 1 || parallel == nullptr) {
        for (int i = 0; i < tasks; ++i) {
            task(i);
        }
        return;
    }
    const auto call = [](void* data, std::int32_t index) { (*static_cast<const Task*>(data))(index); };
    parallel->run(parallel->context, tasks, call, const_cast<Task*>(&task));
}

}  // namespace longbow::cpu
