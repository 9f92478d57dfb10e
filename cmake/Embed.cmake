# longbow_embed(TARGET FUNCTION FILE..): compiles the files' text into TARGET, as `const char* longbow::FUNCTION()`, so
# that the binary needs no file beside it. Several files are one text with a line `---` between them, which YAML reads as
# several documents. Run as a script (-P) it writes that source.
if(CMAKE_SCRIPT_MODE_FILE)
  set(text "")
  set(between "")
  string(REPLACE "|" ";" files "${INPUT}")
  foreach(file IN LISTS files)
    file(READ "${file}" part)
    string(APPEND text "${between}${part}")
    set(between "\n---\n")
  endforeach()
  file(WRITE "${OUTPUT}" "namespace longbow {\nextern const char* ${FUNCTION}();\nconst char* ${FUNCTION}() {\n"
       "    return R\"longbow(${text})longbow\";\n}\n}  // namespace longbow\n")
  return()
endif()

function(longbow_embed target function)
  set(source "${CMAKE_BINARY_DIR}/generated/${function}.cpp")
  string(REPLACE ";" "|" input "${ARGN}")
  add_custom_command(OUTPUT "${source}" DEPENDS ${ARGN} "${PROJECT_SOURCE_DIR}/cmake/Embed.cmake"
    COMMAND "${CMAKE_COMMAND}" "-DINPUT=${input}" "-DOUTPUT=${source}" "-DFUNCTION=${function}"
            -P "${PROJECT_SOURCE_DIR}/cmake/Embed.cmake"
    VERBATIM)
  target_sources(${target} PRIVATE "${source}")
endfunction()
