# Packages as targets. LibTorch comes as longbow::torch, declared here rather than through find_package(Torch): that
# call fails on the CUDA wheel when no CUDA toolkit is there, and probes for a GPU when one is.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(LibLZMA REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)

function(longbow_find_library target header package)
  find_path(${target}_INCLUDE ${header})
  find_library(${target}_LIBRARY ${ARGN})
  if(NOT ${target}_INCLUDE OR NOT ${target}_LIBRARY)
    message(FATAL_ERROR "${header} or its library was not found: install ${package} (scripts/setup does)")
  endif()
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE "${${target}_LIBRARY}")
endfunction()
longbow_find_library(xxhash xxhash.h libxxhash-dev NAMES xxhash)
longbow_find_library(zstd zstd.h libzstd-dev NAMES zstd)
longbow_find_library(utf8proc utf8proc.h libutf8proc-dev NAMES utf8proc)
longbow_find_library(pcre2 pcre2.h libpcre2-dev NAMES pcre2-8)
longbow_find_library(sentencepiece sentencepiece_processor.h libsentencepiece-dev NAMES sentencepiece)
target_link_libraries(sentencepiece INTERFACE sentencepiece_train)
find_path(BOOST_MATH_INCLUDE boost/math/distributions/students_t.hpp)
if(NOT BOOST_MATH_INCLUDE)
  message(FATAL_ERROR "boost/math/distributions/students_t.hpp was not found: "
                      "install libboost-dev (scripts/setup does)")
endif()
add_library(boost_math INTERFACE)
# -isystem /usr/include would come before the compiler's own.
if(NOT BOOST_MATH_INCLUDE IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  target_include_directories(boost_math SYSTEM INTERFACE "${BOOST_MATH_INCLUDE}")
endif()
# Headers alone: LibTorch has the library in it, and Debian's is another version.
find_path(GLOO_INCLUDE gloo/transport/device.h)
if(NOT GLOO_INCLUDE)
  message(FATAL_ERROR "gloo/transport/device.h was not found: install libgloo-dev (scripts/setup does)")
endif()
find_package(fmt REQUIRED)
find_path(FMT_INCLUDE fmt/core.h)
# LibTorch's headers bring another version of fmt. A folder that holds the system's alone comes before them.
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/generated/fmt")
file(CREATE_LINK "${FMT_INCLUDE}/fmt" "${CMAKE_BINARY_DIR}/generated/fmt/fmt" SYMBOLIC)
add_library(fmt INTERFACE)
target_include_directories(fmt SYSTEM INTERFACE "${CMAKE_BINARY_DIR}/generated/fmt")
target_link_libraries(fmt INTERFACE fmt::fmt)
find_package(spdlog REQUIRED)
add_library(spdlog INTERFACE)
target_link_libraries(spdlog INTERFACE spdlog::spdlog)

# --- LibTorch: CMAKE_PREFIX_PATH or Torch_DIR as its users know them, or -DLONGBOW_TORCH_ROOT (the folder
# with include/ and lib/).
if(NOT LONGBOW_TORCH_ROOT)
  find_path(_torch_cmake NAMES Torch/TorchConfig.cmake TorchConfig.cmake
            HINTS "${Torch_DIR}" ${CMAKE_PREFIX_PATH} PATH_SUFFIXES . share/cmake ../..)
  if(_torch_cmake)
    get_filename_component(LONGBOW_TORCH_ROOT "${_torch_cmake}/../.." ABSOLUTE)
    if(NOT EXISTS "${LONGBOW_TORCH_ROOT}/include/torch")
      get_filename_component(LONGBOW_TORCH_ROOT "${_torch_cmake}/../../.." ABSOLUTE)
    endif()
  endif()
endif()
if(NOT EXISTS "${LONGBOW_TORCH_ROOT}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch was not found (looked at LONGBOW_TORCH_ROOT, CMAKE_PREFIX_PATH, Torch_DIR). "
                      "Run ./scripts/build, which brings it, or pass "
                      "-DCMAKE_PREFIX_PATH=$(python -c 'import torch;print(torch.utils.cmake_prefix_path)')")
endif()
file(STRINGS "${LONGBOW_TORCH_ROOT}/include/torch/headeronly/version.h" _v
     REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^;0-9]*([0-9]+)" "\\1" _v "${_v}")
list(JOIN _v "." LONGBOW_TORCH_VERSION)

if(LONGBOW_CUDA)
  include(Cuda)
else()
  set(LONGBOW_CUDA_NOTE "left out (LONGBOW_CUDA=OFF)")
endif()

add_library(longbow_torch INTERFACE)
add_library(longbow::torch ALIAS longbow_torch)
target_include_directories(longbow_torch SYSTEM INTERFACE
  "${CMAKE_BINARY_DIR}/generated/fmt"
  "${LONGBOW_TORCH_ROOT}/include" "${LONGBOW_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(longbow_torch INTERFACE
  "${LONGBOW_TORCH_ROOT}/lib/libtorch_cpu.so" "${LONGBOW_TORCH_ROOT}/lib/libc10.so")
if(LONGBOW_CUDA)
  # libtorch_cuda.so is not linked: loading it and the libraries that it wants costs each command a second. load_cuda()
  # of core/machine.h loads it when there is a GPU to use. Streams and guards are in the small libc10_cuda.so.
  target_compile_definitions(longbow_torch INTERFACE LONGBOW_CUDA=1)
  target_include_directories(longbow_torch SYSTEM INTERFACE ${LONGBOW_CUDA_INCLUDE_DIRS})
  target_link_libraries(longbow_torch INTERFACE "${LONGBOW_TORCH_ROOT}/lib/libc10_cuda.so" CUDA::cudart)
endif()

if(LONGBOW_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
