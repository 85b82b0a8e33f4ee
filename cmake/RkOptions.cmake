# Build type, options and the flags that all project code shares (target rk_flags).

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
# Assertions stay on: they guard against our own bugs and cost little.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

set(RK_SANITIZE "" CACHE STRING "Build with a sanitizer: address, thread, undefined, or empty")
set_property(CACHE RK_SANITIZE PROPERTY STRINGS "" address thread undefined)
option(RK_FUZZ "Build libFuzzer programs (clang only)" OFF)
option(RK_TESTS "Build the tests" ON)
option(RK_GPU_ONLY "Build what a machine with a GPU needs to check and measure it: no third-party library" OFF)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
# Archives of single folders; the installed libraries go to build/lib.
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/layers")

# Paths below the sources are cached as relative ones, so that several checkouts share results.
find_program(RK_CCACHE ccache)
if(RK_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${RK_CCACHE}")
endif()

find_package(Threads REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(NOT RK_GPU_ONLY)
  find_package(PkgConfig REQUIRED)
endif()

add_library(rk_flags INTERFACE)
target_compile_definitions(rk_flags INTERFACE _GNU_SOURCE)
target_compile_options(rk_flags INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Werror
  -ffp-contract=off -fno-omit-frame-pointer
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")
target_link_libraries(rk_flags INTERFACE m Threads::Threads ${CMAKE_DL_LIBS})

set(rk_sanitize_address -fsanitize=address,undefined -fno-sanitize-recover=all)
# The thread sanitizer does not model fences. Ours only order atomic words, so it has nothing to miss.
set(rk_sanitize_thread -fsanitize=thread)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND rk_sanitize_thread -Wno-tsan)
endif()
set(rk_sanitize_undefined -fsanitize=undefined -fno-sanitize-recover=all)
if(RK_SANITIZE)
  if(NOT DEFINED rk_sanitize_${RK_SANITIZE})
    message(FATAL_ERROR "RK_SANITIZE is '${RK_SANITIZE}'; use address, thread or undefined")
  endif()
  target_compile_options(rk_flags INTERFACE ${rk_sanitize_${RK_SANITIZE}})
  target_link_options(rk_flags INTERFACE ${rk_sanitize_${RK_SANITIZE}})
endif()
if(RK_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "RK_FUZZ needs clang: configure with -DCMAKE_C_COMPILER=clang")
  endif()
  target_compile_options(rk_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(rk_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
