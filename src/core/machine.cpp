#include "longbow/core/machine.h"

#include <malloc.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "longbow/core/strings.h"

namespace longbow {

namespace {

// Returns the value of the first line "key<spaces>: value" in a file of /proc, or an empty text.
std::string proc_value(const char* path, std::string_view key) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        const auto colon = line.find(':');
        if (colon != std::string::npos && trim(std::string_view(line).substr(0, colon)) == key) {
            return std::string(trim(std::string_view(line).substr(colon + 1)));
        }
    }
    return {};
}

// Returns a value of /proc/meminfo, whose lines are in kB, in bytes; 0 where it is missing.
std::uint64_t meminfo_bytes(std::string_view key) {
    const std::string value = proc_value("/proc/meminfo", key);
    return value.empty() ? 0 : std::stoull(value) * 1024;
}

}  // namespace

int available_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return std::max(1, CPU_COUNT(&set));
}

CpuInfo cpu_info() {
    CpuInfo info;
    info.vendor = proc_value("/proc/cpuinfo", "vendor_id");
    info.model = proc_value("/proc/cpuinfo", "model name");
    info.cores = available_cores();
    // The kernel lists a feature only when it has enabled it, which the cpuid instruction alone does not tell (AMX).
    const auto flags = split(proc_value("/proc/cpuinfo", "flags"), ' ');
    static constexpr struct {
        const char* flag;
        const char* name;
    } kFeatures[] = {{"avx2", "AVX2"},
                     {"avx512f", "AVX-512F"},
                     {"avx512_bf16", "AVX-512 BF16"},
                     {"avx512_fp16", "AVX-512 FP16"},
                     {"amx_bf16", "AMX BF16"}};
    for (const auto& [flag, name] : kFeatures) {
        if (std::find(flags.begin(), flags.end(), flag) != flags.end()) info.features.emplace_back(name);
    }
    return info;
}

void keep_products_repeatable() {
    if (cpu_info().vendor == "GenuineIntel") ::setenv("MKL_CBWR", "AUTO", /*overwrite=*/0);
}

void keep_freed_memory() {
    constexpr int kLargest = std::numeric_limits<int>::max();  // bytes; larger blocks get a mapping of their own
    mallopt(M_MMAP_THRESHOLD, kLargest);
    mallopt(M_TRIM_THRESHOLD, kLargest);
    mallopt(M_TOP_PAD, 64 << 20);
#ifndef __SANITIZE_ADDRESS__
    // Asks for pages of 2 MiB for the heap's first 1.75 GiB of addresses: activations are read at strides of kilobytes,
    // so that with small pages each access falls into another one. No memory is used until something is written there.
    // If the address space is short, nothing changes.
    constexpr std::size_t kStretch = std::size_t{7} << 28, kPage = std::size_t{2} << 20;
    if (void* block = std::malloc(kStretch)) {
        const auto begin = (reinterpret_cast<std::uintptr_t>(block) + kPage - 1) / kPage * kPage;
        const auto end = (reinterpret_cast<std::uintptr_t>(block) + kStretch) / kPage * kPage;
        (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
        std::free(block);
    }
#endif
}

MemoryInfo memory_info() { return {meminfo_bytes("MemTotal"), meminfo_bytes("MemAvailable")}; }

}  // namespace longbow
