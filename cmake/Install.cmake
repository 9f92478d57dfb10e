# `cmake --install` puts the program, its libraries, configurations, manual page and completions into a prefix that may
# be moved afterwards. bin/longbow is a launcher (src/launcher.cpp): LibTorch is the user's, and where it lies is known
# only when longbow starts. A build with sanitizers is not for installing: their runtime must be loaded first.
if(LONGBOW_SANITIZE)
  return()
endif()

add_library(longbow_program SHARED "${PROJECT_SOURCE_DIR}/src/main.cpp")
target_link_libraries(longbow_program PRIVATE longbow_options longbow::cli)
target_include_directories(longbow_program PRIVATE "${CMAKE_BINARY_DIR}/generated")
# Its functions call each other directly, as they do in the executable.
target_link_options(longbow_program PRIVATE -Wl,-Bsymbolic-functions)
set_target_properties(longbow_program PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/installed")
add_dependencies(longbow_program longbow_revision)

add_executable(longbow_launcher "${PROJECT_SOURCE_DIR}/src/launcher.cpp" "${PROJECT_SOURCE_DIR}/src/core/cache.cpp")
target_link_libraries(longbow_launcher PRIVATE longbow_options ${CMAKE_DL_LIBS})
target_include_directories(longbow_launcher PRIVATE "${PROJECT_SOURCE_DIR}/include")
target_link_options(longbow_launcher PRIVATE -static-libstdc++ -static-libgcc)
string(REGEX MATCH "^[0-9]+\\.[0-9]+" _series "${LONGBOW_TORCH_VERSION}")
set(_more "")
if(LONGBOW_CUDA)
  set(_more libc10_cuda.so)  # and by it the CUDA runtime
endif()
target_compile_definitions(longbow_launcher PRIVATE LONGBOW_TORCH_SERIES="${_series}" LONGBOW_TORCH_MORE="${_more}")
set_target_properties(longbow_launcher PROPERTIES OUTPUT_NAME longbow
                      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/installed")

set(_libraries longbow_program longbow_ops)
if(TARGET longbow_nccl)
  list(APPEND _libraries longbow_nccl)
endif()
set_target_properties(${_libraries} PROPERTIES INSTALL_RPATH "$ORIGIN")
add_dependencies(product longbow_program longbow_launcher)

install(TARGETS longbow_launcher RUNTIME DESTINATION bin)
install(TARGETS ${_libraries} LIBRARY DESTINATION lib)
install(DIRECTORY configs DESTINATION share/longbow FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY data/paper DESTINATION share/longbow)
install(DIRECTORY scripts/corpora DESTINATION share/longbow USE_SOURCE_PERMISSIONS
        PATTERN "__pycache__" EXCLUDE)

# longbow_install_output(FILE arguments..): what the built program prints with these arguments becomes PREFIX/FILE.
function(longbow_install_output file)
  get_filename_component(folder "${file}" DIRECTORY)
  set(made "${CMAKE_BINARY_DIR}/installed/${file}")
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/installed/${folder}")
  install(CODE "execute_process(COMMAND \"$<TARGET_FILE:longbow>\" ${ARGN}
  OUTPUT_FILE \"${made}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES "${made}" DESTINATION "${folder}")
endfunction()
longbow_install_output(share/longbow/longbow.schema.json config schema)
longbow_install_output(share/man/man1/longbow.1 man)
longbow_install_output(share/bash-completion/completions/longbow completions bash)
longbow_install_output(share/zsh/site-functions/_longbow completions zsh)
longbow_install_output(share/fish/vendor_completions.d/longbow.fish completions fish)
