# The attention kernels (no torch header), the registered operators over them, and liblongbow_ops.so for Python and
# other programs.

# One file an instruction set, chosen among at run time; each keeps all its code in unnamed namespaces
# (kernels/cpu/geometry.h). Optimised in every build type: unoptimised intrinsics are a hundred times slower.
set(_kernels "${PROJECT_SOURCE_DIR}/src/attention/kernels")
file(GLOB _sources CONFIGURE_DEPENDS "${_kernels}/cpu/*.cpp")
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(FILTER _sources EXCLUDE REGEX "/avx[^/]*\\.cpp$")
endif()
add_library(longbow_attention_kernels STATIC ${_sources})
target_include_directories(longbow_attention_kernels PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(longbow_attention_kernels PRIVATE longbow_options)
set(_avx2 -mavx2 -mfma -mf16c)
# g++ 12 takes the intrinsics' own placeholders for uninitialised variables (GCC bug 105593).
set(_avx512 ${_avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl -Wno-maybe-uninitialized -Wno-uninitialized)
set_source_files_properties("${_kernels}/cpu/portable.cpp" PROPERTIES COMPILE_OPTIONS "-O3")
# A GPU makes the same table, number for number.
set_source_files_properties("${_kernels}/cpu/skip_table.cpp" PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off")
set_source_files_properties("${_kernels}/cpu/avx2.cpp" PROPERTIES COMPILE_OPTIONS "-O3;${_avx2}")
set_source_files_properties("${_kernels}/cpu/avx512.cpp" PROPERTIES COMPILE_OPTIONS "-O3;${_avx512}")
set_source_files_properties("${_kernels}/cpu/avx512_bf16.cpp" PROPERTIES COMPILE_OPTIONS "-O3;${_avx512};-mavx512bf16")

# The same for GPUs (kernels/attention.h).
if(LONGBOW_CUDA)
  file(GLOB _cuda CONFIGURE_DEPENDS "${_kernels}/cuda/*.cu")
  add_library(longbow_attention_cuda STATIC ${_cuda})
  target_include_directories(longbow_attention_cuda PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(longbow_attention_cuda PRIVATE longbow_options CUDA::cudart)
endif()

# The operators: narrow ATen headers, OpenMP as LibTorch uses it, linked whole so that their registration is kept.
file(GLOB _ops CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/attention/ops/*.cpp")
if(NOT LONGBOW_CUDA)
  list(FILTER _ops EXCLUDE REGEX "/ops_cuda\\.cpp$")
endif()
add_library(longbow_ops_objects OBJECT ${_ops})
target_include_directories(longbow_ops_objects PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(longbow_ops_objects PRIVATE longbow_options longbow::torch)
find_package(OpenMP COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  target_link_libraries(longbow_ops_objects PRIVATE OpenMP::OpenMP_CXX)
endif()

add_library(longbow_attention_ops STATIC $<TARGET_OBJECTS:longbow_ops_objects>)
add_library(longbow_ops SHARED $<TARGET_OBJECTS:longbow_ops_objects>)
set_target_properties(longbow_ops PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
target_link_libraries(longbow_ops PRIVATE longbow_options)
foreach(_library longbow_attention_ops longbow_ops)
  target_link_libraries(${_library} PUBLIC longbow_attention_kernels longbow::torch)
  if(LONGBOW_CUDA)
    target_link_libraries(${_library} PUBLIC longbow_attention_cuda)
  endif()
  if(OpenMP_CXX_FOUND)
    target_link_libraries(${_library} PRIVATE OpenMP::OpenMP_CXX)
  endif()
endforeach()
add_library(longbow_attention_ops_whole INTERFACE)
target_link_libraries(longbow_attention_ops_whole INTERFACE "$<LINK_LIBRARY:WHOLE_ARCHIVE,longbow_attention_ops>")
add_library(longbow::attention_ops ALIAS longbow_attention_ops_whole)
