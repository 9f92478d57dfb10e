// Chooses an instruction set at run time: the best that this CPU has, or the one that the user names.
#include "dispatch.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "attention_cpu.h"

namespace longbow::cpu {

namespace {

// The kernels that this CPU can run, the best first.
std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> usable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) usable.push_back(&avx512_bf16_kernels());
    if (avx512) usable.push_back(&avx512_kernels());
    if (avx2) usable.push_back(&avx2_kernels());
#endif
    usable.push_back(&portable_kernels());
    return usable;
}

const Kernels* kernels_named(std::string_view name) {
    for (const Kernels* kernels : usable_kernels()) {
        if (name.empty() || name == kernels->name) {
            return kernels;
        }
    }
    return nullptr;
}

const Kernels* first_choice() {
    const char* wanted = std::getenv("LONGBOW_CPU_INSTRUCTIONS");
    const Kernels* kernels = kernels_named(wanted == nullptr ? "" : wanted);
    if (kernels == nullptr) {
        std::fprintf(
            stderr,
            "warning: LONGBOW_CPU_INSTRUCTIONS=%s: this machine does not support it; possible values: portable, avx2, avx512, avx512_bf16\n",
            wanted);
        kernels = kernels_named("");
    }
    return kernels;
}

std::atomic<const Kernels*>& choice() {
    static std::atomic<const Kernels*> kernels{first_choice()};
    return kernels;
}

}  // namespace

const Kernels& chosen_kernels() { return *choice().load(); }

}  // namespace longbow::cpu

const char* longbow_attention_cpu_instructions() { return longbow::cpu::chosen_kernels().name; }

bool longbow_attention_cpu_use_instructions(const char* name) {
    const auto* kernels = longbow::cpu::kernels_named(name == nullptr ? "" : name);
    if (kernels != nullptr) {
        longbow::cpu::choice().store(kernels);
    }
    return kernels != nullptr;
}
