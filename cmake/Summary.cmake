# What was found, in one place.
message(STATUS "Longbow ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
message(STATUS "  LibTorch   ${LONGBOW_TORCH_VERSION} in ${LONGBOW_TORCH_ROOT}")
message(STATUS "  CUDA       ${LONGBOW_CUDA} ${CUDAToolkit_VERSION}")
message(STATUS "  ccache     ${LONGBOW_CCACHE}")
message(STATUS "  linker     ${LONGBOW_MOLD}")
