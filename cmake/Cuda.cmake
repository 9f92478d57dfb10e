# CUDA as a language, with a toolkit of LibTorch's own CUDA major version; otherwise LONGBOW_CUDA switched off, with the
# reason and the remedy in LONGBOW_CUDA_NOTE (the configure summary and `longbow doctor` print it). No GPU is needed to
# build.
function(longbow_cuda_off reason)
  set(LONGBOW_CUDA OFF PARENT_SCOPE)
  set(LONGBOW_CUDA_NOTE "${reason}" PARENT_SCOPE)
endfunction()

if(NOT EXISTS "${LONGBOW_TORCH_ROOT}/lib/libtorch_cuda.so")
  longbow_cuda_off("this LibTorch is built without CUDA")
  return()
endif()
# The library knows best which CUDA it was built for: the major version of the runtime that it asks the loader for.
execute_process(COMMAND "${CMAKE_READELF}" -d "${LONGBOW_TORCH_ROOT}/lib/libtorch_cuda.so"
                OUTPUT_VARIABLE _needed ERROR_QUIET)
if(NOT _needed MATCHES "libcudart\\.so\\.([0-9]+)")
  longbow_cuda_off("cannot tell which CUDA ${LONGBOW_TORCH_ROOT}/lib/libtorch_cuda.so was built for")
  return()
endif()
set(_cuda_major "${CMAKE_MATCH_1}")

if(CMAKE_CUDA_COMPILER AND NOT CUDAToolkit_ROOT AND IS_ABSOLUTE "${CMAKE_CUDA_COMPILER}")
  get_filename_component(CUDAToolkit_ROOT "${CMAKE_CUDA_COMPILER}/../.." ABSOLUTE)
endif()
find_package(CUDAToolkit QUIET)
if(NOT CUDAToolkit_FOUND)
  string(CONCAT _reason "no CUDA toolkit found; ./scripts/build brings nvcc ${_cuda_major}, or "
                        "set CUDA_HOME and CUDACXX to a toolkit ${_cuda_major}.x")
  longbow_cuda_off("${_reason}")
  return()
endif()
if(NOT CUDAToolkit_VERSION_MAJOR EQUAL _cuda_major)
  string(CONCAT _reason "the toolkit found is ${CUDAToolkit_VERSION} and LibTorch wants ${_cuda_major}.x; "
                        "./scripts/build brings one that fits")
  longbow_cuda_off("${_reason}")
  return()
endif()

# Ampere to Blackwell as machine code, and PTX of the last for what comes after. CUDA 13 has dropped 7.0 (V100) and
# older ones.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90-real 100-real 120)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER "${CUDAToolkit_NVCC_EXECUTABLE}")
endif()
if(NOT CMAKE_CUDA_HOST_COMPILER)
  set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)    # LibTorch's own runtime: two of them in one process do not share streams
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)               # CMake 3.25 knows no C++20 for nvcc 13
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(LONGBOW_CUDA_NOTE "${CUDAToolkit_VERSION}, ${CMAKE_CUDA_COMPILER}, compute capabilities ${CMAKE_CUDA_ARCHITECTURES}")
if(NOT CMAKE_CUDA_ARCHITECTURES MATCHES "-real$")
  string(APPEND LONGBOW_CUDA_NOTE " + PTX")
endif()
string(REGEX REPLACE "-real(;|$)|;" " " LONGBOW_CUDA_NOTE "${LONGBOW_CUDA_NOTE}")
string(STRIP "${LONGBOW_CUDA_NOTE}" LONGBOW_CUDA_NOTE)

# NVIDIA's wheels keep the headers of each library beside LibTorch's; a whole toolkit has them all.
get_filename_component(_nvidia "${LONGBOW_TORCH_ROOT}/../nvidia" ABSOLUTE)
set(LONGBOW_CUDA_INCLUDE_DIRS ${CUDAToolkit_INCLUDE_DIRS})
foreach(_dir "${_nvidia}/cu${_cuda_major}/include" "${_nvidia}/nccl/include")
  if(EXISTS "${_dir}")
    list(APPEND LONGBOW_CUDA_INCLUDE_DIRS "${_dir}")
  endif()
endforeach()

# longbow_header_version(VAR header names..): the numbers of these #defines, joined by dots; empty when there is no such
# header.
function(longbow_header_version variable header)
  find_file(_header "${header}" PATHS ${LONGBOW_CUDA_INCLUDE_DIRS} NO_DEFAULT_PATH NO_CACHE)
  set(version "")
  if(_header)
    foreach(name IN LISTS ARGN)
      file(STRINGS "${_header}" line REGEX "^#define +${name} +[0-9]+" LIMIT_COUNT 1)
      string(REGEX MATCH "[0-9]+ *$" number "${line}")
      list(APPEND version "${number}")
    endforeach()
    list(JOIN version "." version)
  endif()
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()
longbow_header_version(LONGBOW_NCCL_VERSION nccl.h NCCL_MAJOR NCCL_MINOR NCCL_PATCH)
longbow_header_version(LONGBOW_CUBLAS_VERSION cublas_api.h CUBLAS_VER_MAJOR CUBLAS_VER_MINOR CUBLAS_VER_PATCH)
