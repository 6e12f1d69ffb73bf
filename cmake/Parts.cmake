# The heavy library headers, parsed once for each preset and reused by every part.
file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc "")
add_library(precompiled OBJECT ${CMAKE_BINARY_DIR}/precompiled.cc)
target_link_libraries(precompiled PUBLIC ${HOTSWAP_COMMON_LIBRARIES})
target_precompile_headers(precompiled PRIVATE
  <boost/asio.hpp> <boost/asio/experimental/awaitable_operators.hpp> <boost/beast/core.hpp> <boost/beast/http.hpp>
  <boost/describe.hpp> <boost/json.hpp> <boost/mp11.hpp> <fmt/format.h> <algorithm> <chrono> <expected> <filesystem>
  <functional> <map> <memory> <string> <unordered_map> <vector>)

# A part is a folder of src/: x.h, x.cc and x_test.cc side by side; what several tests share is in x_fixture.cc. It
# becomes the library hs_<folder> and, where it has tests, the program hs_<folder>_test. Every test is known to ctest by
# its own name.
function(hs_part folder)
  cmake_parse_arguments(PART "" "" "LINK" ${ARGN})
  string(REPLACE "/" "_" name hs_${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_fixture|/main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "(_test|_fixture)\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${name} PUBLIC ${PART_LINK} ${HOTSWAP_COMMON_LIBRARIES})
    target_precompile_headers(${name} REUSE_FROM precompiled)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${name} INTERFACE ${PART_LINK} ${HOTSWAP_COMMON_LIBRARIES})
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name}_test REUSE_FROM precompiled)
    target_compile_definitions(${name}_test PRIVATE HOTSWAP_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_property(GLOBAL APPEND PROPERTY HOTSWAP_PART_TESTS ${name}_test)
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES PROPERTIES TIMEOUT 120)
  endif()
endfunction()
