# What the binary says of itself: versions fixed at configure time (one file of core reads them), and the git revision,
# looked up at each build (src/main.cpp alone reads it, so that a commit recompiles one small file and breaks neither
# ccache nor the precompiled header).
set(LONGBOW_BUILD_CUDA ${LONGBOW_CUDA})
set(LONGBOW_BUILD_TYPE_TEXT "${CMAKE_BUILD_TYPE}")
if(LONGBOW_SANITIZE)
  string(APPEND LONGBOW_BUILD_TYPE_TEXT " with AddressSanitizer and UndefinedBehaviorSanitizer")
endif()
configure_file(cmake/build_config.h.in generated/build_config.h @ONLY)
set_source_files_properties(src/core/build_info.cpp PROPERTIES INCLUDE_DIRECTORIES "${CMAKE_BINARY_DIR}/generated")

find_package(Git QUIET)
add_custom_target(longbow_revision
  COMMAND "${CMAKE_COMMAND}" -DGIT=${GIT_EXECUTABLE} -DSOURCE=${PROJECT_SOURCE_DIR}
          -DOUTPUT=${CMAKE_BINARY_DIR}/generated/revision.h -P "${PROJECT_SOURCE_DIR}/cmake/WriteRevision.cmake"
  BYPRODUCTS "${CMAKE_BINARY_DIR}/generated/revision.h"
  COMMENT "Looking up the git revision"
  VERBATIM)
