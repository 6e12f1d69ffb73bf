# The Rust bridge: one static library, built by cargo. Its target folder lies outside the checkout so that Wasmtime is
# compiled once for all checkouts and presets (the C++ sanitizers link the same uninstrumented library).
set(HOTSWAP_CARGO_TARGET_DIR "$ENV{HOTSWAP_CACHE}/cargo" CACHE PATH "cargo's target folder")
if(NOT DEFINED ENV{HOTSWAP_CACHE} AND NOT HOTSWAP_CARGO_TARGET_DIR)
  message(FATAL_ERROR "set HOTSWAP_CACHE (./dev does) or HOTSWAP_CARGO_TARGET_DIR")
endif()
find_program(CARGO cargo REQUIRED HINTS $ENV{HOME}/.cargo/bin)

set(ENGINE_LIBRARY ${HOTSWAP_CARGO_TARGET_DIR}/release/libengine.a)
file(GLOB ENGINE_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/engine/src/*.rs)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/engine.stamp
  BYPRODUCTS ${ENGINE_LIBRARY}
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${HOTSWAP_CARGO_TARGET_DIR} ${CARGO} build --release --locked --quiet
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/engine
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/engine.stamp
  DEPENDS ${ENGINE_SOURCES} ${CMAKE_SOURCE_DIR}/engine/build.rs
          ${CMAKE_SOURCE_DIR}/engine/Cargo.toml ${CMAKE_SOURCE_DIR}/engine/Cargo.lock
  COMMENT "cargo build engine (the first time compiles Wasmtime: minutes)"
  USES_TERMINAL)
add_custom_target(engine_build DEPENDS ${CMAKE_BINARY_DIR}/engine.stamp)
add_library(engine STATIC IMPORTED GLOBAL)
set_target_properties(engine PROPERTIES IMPORTED_LOCATION ${ENGINE_LIBRARY}
                                        INTERFACE_INCLUDE_DIRECTORIES ${CMAKE_SOURCE_DIR}/engine/include)
target_link_libraries(engine INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
add_dependencies(engine engine_build)
