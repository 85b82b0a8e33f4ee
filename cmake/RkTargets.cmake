# The functions with which each folder declares what it builds.
#
#   rk_layer(lib/core SOURCES ring.c hlc.c USES lib/base lib/abi [CONVERSION] [PACKAGES yaml-0.1])
#   rk_module(rk-gpu SOURCES module.c USES lib/base lib/device [PACKAGES ...])
#   rk_program(rk SOURCES main.c USES cli job [PACKAGES ...])
#   rk_test(core_ring SOURCES ring_test.c USES lib/core [LABELS slow] [TIMEOUT 120] [PACKAGES ...])
#   rk_fuzz(wav SOURCES fuzz_wav.c USES job CORPUS corpus/wav)
#   rk_bench(openmp_wave SOURCES openmp_wave.c [USES ...] [PACKAGES ...])
#
# Folders are named from the repository root. Sources are relative to the calling CMakeLists.txt.
# USES names the folders that are used directly; what they use in turn is linked as well.
# USES include/ringkernel means the public API: it links all of lib/.
# PACKAGES are pkg-config names of third-party libraries.
# CONVERSION adds -Wconversion.
#
# Every USES of a layer or program is checked against tools/layers when CMake runs.

# The target "product" is what a user runs: programs, and what folders add to it with
# add_dependencies(product ...), but no tests.
add_custom_target(product)

set(RK_LAYER_TABLE "${PROJECT_SOURCE_DIR}/tools/layers")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${RK_LAYER_TABLE}")

# rk_add_folder(<folder>): adds it if it has a CMakeLists.txt.
function(rk_add_folder folder)
  if(EXISTS "${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt")
    add_subdirectory("${folder}")
  endif()
endfunction()

# The target of a folder: lib/device/cpu -> rk_lib_device_cpu.
function(rk_target_of folder out)
  string(REPLACE "/" "_" name "${folder}")
  set(${out} "rk_${name}" PARENT_SCOPE)
endfunction()

# The row of tools/layers for a folder: the row of the folder itself, or of the nearest folder above.
function(rk_layer_row folder out_row out_uses)
  file(STRINGS "${RK_LAYER_TABLE}" lines REGEX "^[a-z]")
  set(row "${folder}")
  while(row)
    foreach(line IN LISTS lines)
      if(line MATCHES "^([^:]+):(.*)$")
        if(CMAKE_MATCH_1 STREQUAL row)
          separate_arguments(uses UNIX_COMMAND "${CMAKE_MATCH_2}")
          set(${out_row} "${row}" PARENT_SCOPE)
          set(${out_uses} "${uses}" PARENT_SCOPE)
          return()
        endif()
      endif()
    endforeach()
    if(NOT row MATCHES "/")
      break()
    endif()
    get_filename_component(row "${row}" DIRECTORY)
  endwhile()
  message(FATAL_ERROR "${folder} has no row in tools/layers: add one that says what it may use")
endfunction()

# Fails if tools/layers does not let <folder> use each folder in ARGN.
function(rk_check_uses folder)
  rk_layer_row("${folder}" row allowed)
  foreach(used IN LISTS ARGN)
    set(granted FALSE)
    foreach(entry IN LISTS allowed)
      string(FIND "${entry}/" "${used}/" single)  # one header of the folder
      string(FIND "${used}/" "${entry}/" whole)   # the folder, or one that it is part of
      if(entry STREQUAL "*" OR single EQUAL 0 OR whole EQUAL 0)
        set(granted TRUE)
      endif()
    endforeach()
    if(NOT granted AND NOT used STREQUAL row)
      list(JOIN allowed " " text)
      message(FATAL_ERROR "${folder} may not use ${used}. tools/layers says: ${row}: ${text}. "
        "Name folders from the repository root; if something higher is needed, declare a callback "
        "or an operations table and let the program fill it.")
    endif()
  endforeach()
endfunction()

function(rk_refuse_unknown where)
  if(ARGN)
    message(FATAL_ERROR "${where}: unknown arguments ${ARGN}")
  endif()
endfunction()

# Flags, include folders, folders used and packages of any project target.
function(rk_setup target)
  cmake_parse_arguments(arg "CONVERSION" "" "USES;PACKAGES" ${ARGN})
  target_include_directories(${target} PRIVATE
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/lib" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE rk_flags)
  if(arg_CONVERSION)
    target_compile_options(${target} PRIVATE -Wconversion)
  endif()
  foreach(used IN LISTS arg_USES)
    if(used STREQUAL "include/ringkernel")
      target_link_libraries(${target} PUBLIC rk_api)
      continue()
    endif()
    rk_target_of("${used}" used_target)
    if(NOT TARGET ${used_target})
      message(FATAL_ERROR "${target} uses ${used}, which no earlier CMakeLists.txt declares with "
        "rk_layer. Folders are named from the repository root, for example lib/base.")
    endif()
    target_link_libraries(${target} PUBLIC ${used_target})
  endforeach()
  foreach(package IN LISTS arg_PACKAGES)
    string(MAKE_C_IDENTIFIER "rk_pkg_${package}" prefix)
    if(NOT TARGET PkgConfig::${prefix})
      pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET GLOBAL ${package})
    endif()
    target_link_libraries(${target} PRIVATE PkgConfig::${prefix})
  endforeach()
endfunction()

# rk_layer: one folder of code. An archive per folder, so that a test links only what it uses and an
# arrow that points up fails at link time.
function(rk_layer folder)
  cmake_parse_arguments(arg "CONVERSION" "" "SOURCES;USES;PACKAGES" ${ARGN})
  rk_refuse_unknown("rk_layer(${folder})" ${arg_UNPARSED_ARGUMENTS})
  rk_check_uses("${folder}" ${arg_USES})
  rk_target_of("${folder}" target)
  add_library(${target} STATIC ${arg_SOURCES})
  set(conversion "")
  if(arg_CONVERSION)
    set(conversion CONVERSION)
  endif()
  rk_setup(${target} ${conversion} USES ${arg_USES} PACKAGES ${arg_PACKAGES})
  if(folder MATCHES "^lib/")
    set_property(GLOBAL APPEND PROPERTY RK_LIB_TARGETS ${target})
  endif()
endfunction()

# rk_library: libringkernel.so and libringkernel.a from all folders of lib/, and the internal target
# rk_api that stands for "all of lib/".
function(rk_library)
  add_library(rk_api INTERFACE)
  get_property(layers GLOBAL PROPERTY RK_LIB_TARGETS)
  if(NOT layers)
    return()
  endif()
  target_link_libraries(rk_api INTERFACE ${layers})
  set(objects "")
  foreach(layer IN LISTS layers)
    list(APPEND objects "$<TARGET_OBJECTS:${layer}>")
  endforeach()
  set(map "${PROJECT_SOURCE_DIR}/lib/libringkernel.map")

  add_library(ringkernel SHARED ${objects})
  target_link_libraries(ringkernel PRIVATE rk_flags)
  target_link_options(ringkernel PRIVATE "LINKER:--version-script=${map}")
  if(NOT RK_SANITIZE AND NOT RK_FUZZ)
    target_link_options(ringkernel PRIVATE "LINKER:--no-undefined")
  endif()
  set_target_properties(ringkernel PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINKER_LANGUAGE C LINK_DEPENDS "${map}")

  add_library(ringkernel-static STATIC ${objects})
  target_link_libraries(ringkernel-static INTERFACE m pthread ${CMAKE_DL_LIBS})
  set_target_properties(ringkernel-static PROPERTIES OUTPUT_NAME ringkernel LINKER_LANGUAGE C
    ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
endfunction()

# rk_module: build/lib/ringkernel/drivers/<name>.so, a loadable driver, installed, part of the target
# "product". It holds its own copy of the folders it uses and exports rk_driver_module alone,
# or what MAP says.
function(rk_module name)
  cmake_parse_arguments(arg "" "MAP" "SOURCES;USES;PACKAGES" ${ARGN})
  rk_refuse_unknown("rk_module(${name})" ${arg_UNPARSED_ARGUMENTS})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  rk_check_uses("${folder}" ${arg_USES})
  set(map "${PROJECT_SOURCE_DIR}/drivers/module.map")
  if(arg_MAP)
    get_filename_component(map "${arg_MAP}" ABSOLUTE)
  endif()
  add_library(rk_module_${name} MODULE ${arg_SOURCES})
  rk_setup(rk_module_${name} USES ${arg_USES} PACKAGES ${arg_PACKAGES})
  target_link_options(rk_module_${name} PRIVATE "LINKER:--version-script=${map}")
  set_target_properties(rk_module_${name} PROPERTIES OUTPUT_NAME ${name} PREFIX ""
    LINK_DEPENDS "${map}" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/ringkernel/drivers")
  add_dependencies(product rk_module_${name})
  install(TARGETS rk_module_${name} LIBRARY DESTINATION lib/ringkernel/drivers)
endfunction()

# rk_program: build/bin/<name>, installed, part of the target "product".
function(rk_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PACKAGES" ${ARGN})
  rk_refuse_unknown("rk_program(${name})" ${arg_UNPARSED_ARGUMENTS})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  rk_check_uses("${folder}" ${arg_USES})
  add_executable(rk_program_${name} ${arg_SOURCES})
  rk_setup(rk_program_${name} USES ${arg_USES} PACKAGES ${arg_PACKAGES})
  set_target_properties(rk_program_${name} PROPERTIES OUTPUT_NAME ${name})
  add_dependencies(product rk_program_${name})
  install(TARGETS rk_program_${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()

# What ctest sets for every test: sanitizers must fail loudly.
function(rk_test_properties name labels timeout)
  if(RK_SANITIZE)
    math(EXPR timeout "${timeout} * 4")
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${timeout} SKIP_RETURN_CODE 77 LABELS "${labels}"
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1;LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/leaks.txt:print_suppressions=0;POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/pocl-cache;RK_CACHE=off;RK_SOURCE_DIR=${PROJECT_SOURCE_DIR};RK_BUILD_DIR=${PROJECT_BINARY_DIR}")
endfunction()

# rk_test: a cmocka program build/tests/<name>, known to ctest by the same name.
function(rk_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;USES;LABELS;PACKAGES" ${ARGN})
  rk_refuse_unknown("rk_test(${name})" ${arg_UNPARSED_ARGUMENTS})
  add_executable(rk_test_${name} ${arg_SOURCES})
  rk_setup(rk_test_${name} USES ${arg_USES} PACKAGES cmocka ${arg_PACKAGES})
  target_include_directories(rk_test_${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  set_target_properties(rk_test_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND rk_test_${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  rk_test_properties(${name} "${arg_LABELS}" ${arg_TIMEOUT})
endfunction()

# rk_fuzz: the target function LLVMFuzzerTestOneInput (fuzz/fuzz.h) as a test that replays the corpus, and, with
# RK_FUZZ, as the libFuzzer program build/fuzz/<name>.
function(rk_fuzz name)
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;USES;PACKAGES" ${ARGN})
  rk_refuse_unknown("rk_fuzz(${name})" ${arg_UNPARSED_ARGUMENTS})
  get_filename_component(corpus "${arg_CORPUS}" ABSOLUTE)
  if(NOT IS_DIRECTORY "${corpus}")
    message(FATAL_ERROR "rk_fuzz(${name}): the corpus folder ${corpus} does not exist")
  endif()
  set(test fuzz_replay_${name})
  add_executable(rk_${test} "${PROJECT_SOURCE_DIR}/fuzz/replay.c" ${arg_SOURCES})
  rk_setup(rk_${test} USES ${arg_USES} PACKAGES ${arg_PACKAGES})
  set_target_properties(rk_${test} PROPERTIES OUTPUT_NAME replay_${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  add_test(NAME ${test} COMMAND rk_${test} "${corpus}")
  rk_test_properties(${test} fuzz 60)
  if(RK_FUZZ)
    add_executable(rk_fuzz_${name} ${arg_SOURCES})
    rk_setup(rk_fuzz_${name} USES ${arg_USES} PACKAGES ${arg_PACKAGES})
      target_link_options(rk_fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(rk_fuzz_${name} PROPERTIES OUTPUT_NAME ${name}
      RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    set_property(GLOBAL APPEND_STRING PROPERTY RK_FUZZ_TARGETS "${name} ${corpus}\n")
  endif()
endfunction()

# Writes the list of fuzz targets, "name corpus" per line, for tools/run-fuzz.
function(rk_list_fuzz_targets)
  get_property(targets GLOBAL PROPERTY RK_FUZZ_TARGETS)
  file(WRITE "${PROJECT_BINARY_DIR}/fuzz-targets" "${targets}")
endfunction()

# rk_bench: a measuring or reference program build/bench/<name>, not installed.
function(rk_bench name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PACKAGES" ${ARGN})
  rk_refuse_unknown("rk_bench(${name})" ${arg_UNPARSED_ARGUMENTS})
  add_executable(rk_bench_${name} ${arg_SOURCES})
  rk_setup(rk_bench_${name} USES ${arg_USES} PACKAGES ${arg_PACKAGES})
  set_target_properties(rk_bench_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
endfunction()

# Every build checks the includes against tools/layers, and the sizes.
function(rk_check_sources)
  add_custom_target(check-sources ALL
    COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/check-layers"
    COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/check-sizes"
    COMMENT "Checking layers and sizes" VERBATIM)
endfunction()
