# longbow_embed(TARGET FILE FUNCTION): compiles FILE's text into TARGET, as `const char* longbow::FUNCTION()`, so that
# the binary needs no file beside it. Run as a script (-P) it writes that source.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ "${INPUT}" text)
  file(WRITE "${OUTPUT}" "namespace longbow {\nextern const char* ${FUNCTION}();\nconst char* ${FUNCTION}() {\n"
       "    return R\"longbow(${text})longbow\";\n}\n}  // namespace longbow\n")
  return()
endif()

function(longbow_embed target file function)
  set(source "${CMAKE_BINARY_DIR}/generated/${function}.cpp")
  add_custom_command(OUTPUT "${source}" DEPENDS "${file}" "${PROJECT_SOURCE_DIR}/cmake/Embed.cmake"
    COMMAND "${CMAKE_COMMAND}" "-DINPUT=${file}" "-DOUTPUT=${source}" "-DFUNCTION=${function}"
            -P "${PROJECT_SOURCE_DIR}/cmake/Embed.cmake"
    VERBATIM)
  target_sources(${target} PRIVATE "${source}")
endfunction()
