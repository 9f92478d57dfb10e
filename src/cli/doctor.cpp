// longbow doctor: prints what this machine has for Longbow, what is missing, and what to do about it. Each line is
// marked ok, note (works, could be better) or FAIL (must be fixed). The exit code is 0 if Longbow can run here, even
// with notes. With --attention it also shows whether the fused operator computes right on a device.
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <fmt/core.h>

#include <iostream>

#include "longbow/attention/fused_attention.h"
#include "longbow/attention/operator_check.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/core/build_info.h"
#include "longbow/core/cache.h"
#include "longbow/core/files.h"
#include "longbow/core/installation.h"
#include "longbow/core/machine.h"
#include "longbow/core/strings.h"
#include "longbow/model/autocast.h"
#include "longbow/model/linear.h"
#include "longbow/report/rsvg.h"
#include "verbs.h"

namespace longbow {

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

class Findings {
public:
    void ok(const std::string& what, const std::string& text) { print("ok", what, text); }
    void note(const std::string& what, const std::string& text) { print("note", what, text); }
    void fail(const std::string& what, const std::string& text) {
        print("FAIL", what, text);
        failed_ = true;
    }
    // Prints ok if `good`, else a note with the remedy.
    void expect(bool good, const std::string& what, const std::string& text, const std::string& remedy) {
        good ? ok(what, text) : note(what, text + ": " + remedy);
    }
    [[nodiscard]] bool failed() const { return failed_; }

private:
    static void print(const char* mark, const std::string& what, const std::string& text) {
        std::cout << fmt::format("{:<5} {:<11} ", mark, what) << text << '\n';
    }
    bool failed_ = false;
};

std::string bytes_text(std::uint64_t bytes) { return human_bytes(static_cast<double>(bytes)); }

void check_processor(Findings& findings) {
    const auto cpu = cpu_info();
    const bool vectors = !cpu.features.empty();
    findings.expect(vectors, "processor",
                    fmt::format("{}, {} core{}, {}", cpu.model.empty() ? "unknown" : cpu.model, cpu.cores,
                                cpu.cores == 1 ? "" : "s", vectors ? join(cpu.features, ", ") : "no AVX2"),
                    "Longbow works, but slowly");
    findings.ok("GEMM", to_string(gemm_library_by_rule()) + " by rule for fp32 linear layers on this processor");
    findings.ok("attention", "fused kernels for " + fused_attention_instructions());
    const auto memory = memory_info();
    findings.expect(memory.available >= 2 * kGiB, "memory",
                    bytes_text(memory.available) + " of " + bytes_text(memory.total) + " free",
                    "the demo needs about 2 GiB; close something");
}

void check_torch(Findings& findings) {
    try {
        const auto sum = at::matmul(at::ones({8, 64}), at::ones({64, 8})).sum().item<double>();
        if (sum != 8 * 64 * 8) {
            findings.fail(
                "LibTorch",
                build_info().torch +
                    ": a matrix product came out wrong; install it again (remove the cache, then run ./scripts/setup)");
            return;
        }
        findings.ok("LibTorch", build_info().torch + ", a matrix product is right");
    } catch (const std::exception& error) {
        findings.fail("LibTorch", build_info().torch + ": " + std::string(trim(split(error.what(), '\n').front())));
    }
}

void check_gpus(Findings& findings) {
    const auto& build = build_info();
    findings.expect(build.cuda, "CUDA build", std::string(build.cuda ? "" : "off, ") + build.cuda_note,
                    "not needed without a GPU; docs/building.md explains how to build with CUDA");
    const auto report = gpu_report();
    if (report.gpus.empty()) {
        findings.note("GPU", "none: " + report.problem + "; Longbow runs on the processor");
        return;
    }
    for (std::size_t i = 0; i < report.gpus.size(); ++i) {
        const auto& gpu = report.gpus[i];
        const auto problem = gpu_smoke_test(static_cast<int>(i));
        const auto text = fmt::format("{}: {}, compute capability {}.{}, {}, driver for CUDA {}", i, gpu.name,
                                      gpu.major, gpu.minor, bytes_text(gpu.memory), report.driver);
        findings.expect(problem.empty(), "GPU", text, problem + " (--device cpu works)");
    }
}

void check_surroundings(Findings& findings) {
    const auto program = find_rsvg_convert();
    findings.expect(
        !program.empty(), "figures", program.empty() ? "no rsvg-convert" : program,
        "only `longbow report --format pdf` and png need it; ./scripts/setup brings it (Debian package librsvg2-bin)");
    std::error_code none;
    const auto cache = cache_folder();
    findings.expect(!cache.empty() && fs::exists(cache, none), "cache", cache.empty() ? "none" : cache.string(),
                    cache.empty() ? "neither LONGBOW_CACHE, XDG_CACHE_HOME nor HOME is set"
                                  : "does not exist yet; ./scripts/setup creates it (LONGBOW_CACHE sets another path)");
    if (const auto imports = size_of_imports(); imports.entries > 0) {
        findings.ok("imports",
                    fmt::format("{} model{} in {}, {}; docs/import.md says when they are removed", imports.entries,
                                imports.entries == 1 ? "" : "s", imports.folder.string(), human_bytes(imports.bytes)));
    }
    const auto free = free_space(fs::current_path());
    findings.expect(free >= 2 * kGiB, "disk", bytes_text(free) + " free in " + fs::current_path().string(),
                    "checkpoints may not fit");
    const auto share = installed_share();
    const std::string here = "data/corpora/austen/train.txt";
    const fs::path austen = share.empty() ? here : installed_data_path(here);
    findings.expect(fs::exists(austen, none), "corpus", austen.string(),
                    "does not exist; " +
                        (share.empty() ? "scripts/corpora/austen fetches it (scripts/demo does)"
                                       : (share / "corpora/austen").string() + " fetches it") +
                        ", or use your own text");
}

void check_attention(Findings& findings, const std::string& wanted) {
    const auto device = resolve_device(wanted);
    prepare_process(device);
    for (const auto dtype : {DType::fp32, DType::bf16, DType::fp16}) {
        const auto errors = check_operator(device, scalar_type(dtype));
        std::vector<std::string> worst;
        for (const auto& quantity : errors.quantities) {
            worst.push_back(fmt::format("{} {:.1e}", quantity.name, quantity.worst));
        }
        const auto text = fmt::format("{} on {}, {} calls beside fp64, largest relative errors: {}", name_of(dtype),
                                      device, errors.calls, join(worst, ", "));
        errors.wrong.empty() ? findings.ok("attention", text) : findings.fail("attention", text);
        for (const auto& call : errors.wrong) findings.fail("attention", "  " + call);
    }
}

int doctor(bool with_attention, const std::string& device) {
    Findings findings;
    const auto& build = build_info();
    findings.ok("Longbow", build.version + (build.revision.empty() ? "" : " (" + build.revision + ")") + ", " +
                               build.type + ", " + build.compiler);
    check_processor(findings);
    check_torch(findings);
    check_gpus(findings);
    check_surroundings(findings);
    if (with_attention) check_attention(findings, device);
    std::cout << (findings.failed() ? "Longbow cannot run here: see FAIL above.\n" : "Longbow can run here.\n");
    return findings.failed() ? 1 : 0;
}

void add_doctor(CLI::App& app, VerbContext& context) {
    auto* verb =
        add_verb(app, context, "doctor", "The machine's hardware and software, what is missing, and what to install",
                 "longbow doctor\n  longbow doctor --attention --device cuda");
    auto attention = std::make_shared<bool>(false);
    verb->add_flag("--attention", *attention,
                   "Also compare the fused attention operator on --device with the formula in fp64 (some seconds)");
    run_with(verb, context, [attention](const CommonOptions& common) { return doctor(*attention, common.device); });
}

LONGBOW_REGISTER_VERB(100, add_doctor);

}  // namespace

}  // namespace longbow
