# Warnings, sanitizers, ccache and mold when present.
add_library(longbow_options INTERFACE)
# A user's compiler is not ours to know: what a newer one warns of must not stop his build. The preset dev and .ci/run
# make warnings errors. A switch that forgets an enumerator is an error always: each compiler finds the same ones, and
# what follows is undefined.
if(LONGBOW_WARNINGS_AS_ERRORS)
  set(_errors -Werror)
  set(_cuda_errors "-Werror all-warnings")
else()
  set(_errors -Werror=switch)
  set(_cuda_errors "")
endif()
target_compile_options(longbow_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow ${_errors}>
  # g++ 12 reports overlaps in std::string that are not there (GCC bug 105651).
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:${_cuda_errors} -Xcompiler=-Wall,-Wextra,-Wshadow,${_errors}>")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

if(LONGBOW_SANITIZE)
  set(_san -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_compile_options(longbow_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${_san}>)
  target_link_options(longbow_options INTERFACE ${_san})
endif()

# The rooms report which of their branches an input reached: libFuzzer steers by it.
if(LONGBOW_FUZZ)
  target_compile_options(longbow_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
endif()

find_program(LONGBOW_CCACHE ccache)
if(LONGBOW_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${LONGBOW_CCACHE}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${LONGBOW_CCACHE}")
endif()
find_program(LONGBOW_MOLD mold)
if(LONGBOW_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
