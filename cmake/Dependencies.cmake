# Everything comes from the distribution's packages; docs/dependencies.md says why each was chosen.
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(CURL 7.85 REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(GTest REQUIRED)
pkg_check_modules(brotli REQUIRED IMPORTED_TARGET libbrotlienc libbrotlidec)

# The SOCI package's CMake files name targets by build type; plain library names serve every one of them.
foreach(backend core sqlite3 postgresql)
  find_library(SOCI_${backend}_LIBRARY soci_${backend} REQUIRED)
  add_library(SOCI::soci_${backend} UNKNOWN IMPORTED)
  set_target_properties(SOCI::soci_${backend} PROPERTIES IMPORTED_LOCATION ${SOCI_${backend}_LIBRARY})
endforeach()
find_library(SQLITE3_LIBRARY sqlite3 REQUIRED)
find_library(PQ_LIBRARY pq REQUIRED)
target_include_directories(SOCI::soci_sqlite3 INTERFACE /usr/include/soci)
target_include_directories(SOCI::soci_postgresql INTERFACE /usr/include/soci /usr/include/postgresql)
target_link_libraries(SOCI::soci_sqlite3 INTERFACE ${SQLITE3_LIBRARY})
target_link_libraries(SOCI::soci_postgresql INTERFACE ${PQ_LIBRARY})

# The allocator of the programs that run guests. glibc's keeps a heap locked while it copies a buffer that grows, and the
# address space while it takes and returns large ones: requests wait for both. The sanitizers bring their own.
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
add_library(allocator INTERFACE)
if(NOT HOTSWAP_SANITIZE)
  target_link_libraries(allocator INTERFACE PkgConfig::jemalloc)
endif()

# What every part may use. Linked everywhere, so that one precompiled header fits all parts.
set(HOTSWAP_COMMON_LIBRARIES Boost::boost Boost::json Boost::url fmt::fmt spdlog::spdlog Threads::Threads)
