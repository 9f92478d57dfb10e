// Sets the library of matrix products (GEMM) for the length of a scope, for tests that compare libraries.
#pragma once

#include "longbow/model/linear.h"

namespace longbow::test {

class GemmScope {
public:
    explicit GemmScope(GemmLibrary library) : before_(gemm_library()) { set_gemm_library(library); }
    ~GemmScope() { set_gemm_library(before_); }
    GemmScope(const GemmScope&) = delete;
    GemmScope& operator=(const GemmScope&) = delete;

private:
    GemmLibrary before_;
};

}  // namespace longbow::test
