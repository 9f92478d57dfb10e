# ProcessGroupNCCL is in libtorch_cuda.so, which the program does not link: what makes a group of it is a module of its
# own beside the program.
if(NOT LONGBOW_CUDA OR NOT LONGBOW_NCCL_VERSION)
  return()
endif()
add_library(longbow_nccl MODULE "${PROJECT_SOURCE_DIR}/src/dist/nccl/nccl_module.cpp")
target_link_libraries(longbow_nccl PRIVATE longbow_options longbow::torch "${LONGBOW_TORCH_ROOT}/lib/libtorch_cuda.so")
target_compile_definitions(longbow_nccl PRIVATE USE_C10D_NCCL)
target_include_directories(longbow_nccl PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src/dist")
set_target_properties(longbow_nccl PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
