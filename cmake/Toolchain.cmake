# Compiler flags for every part. Variants (sanitizers, coverage, fuzzing) are cache variables that the presets set.
set(HOTSWAP_SANITIZE "" CACHE STRING "address,undefined | thread | empty")
option(HOTSWAP_COVERAGE "Instrument for llvm-cov" OFF)
option(HOTSWAP_FUZZ "Build the libFuzzer targets" OFF)

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "HotSwap is built with clang 19 (gcc 12 miscompiles co_await): use the CMake presets or ./dev build")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wconversion
                    -Wno-sign-conversion -Werror=return-type -Werror=unused-result -fno-omit-frame-pointer)
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_CO_AWAIT SPDLOG_FMT_EXTERNAL)
add_link_options(-fuse-ld=mold)
# ccache can keep what was compiled with a precompiled header only if the header carries no time stamp.
add_compile_options("SHELL:-Xclang -fno-pch-timestamp")

if(HOTSWAP_SANITIZE)
  add_compile_options(-fsanitize=${HOTSWAP_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HOTSWAP_SANITIZE})
endif()
if(HOTSWAP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(HOTSWAP_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
