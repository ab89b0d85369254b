# SPDX-License-Identifier: Apache-2.0
# One place for flags: leat_warnings, leat_sanitize and leat_hardening are interface targets that every target links.
option(LEAT_FUZZ "build libFuzzer targets (clang)" OFF)
option(LEAT_COVERAGE "count lines" OFF)
set(LEAT_SANITIZE "" CACHE STRING "sanitizers, comma-joined")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -DLEAT_DEBUG")

add_library(leat_warnings INTERFACE)
target_compile_options(leat_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Werror
  -Wno-missing-field-initializers) # tables leave columns out on purpose: absent means zero
target_compile_definitions(leat_warnings INTERFACE _GNU_SOURCE LEAT_VERSION="${PROJECT_VERSION}")

add_library(leat_sanitize INTERFACE)
if(LEAT_SANITIZE)
  target_compile_options(leat_sanitize INTERFACE -fsanitize=${LEAT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(leat_sanitize INTERFACE -fsanitize=${LEAT_SANITIZE})
endif()
if(LEAT_FUZZ)
  target_compile_options(leat_sanitize INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(LEAT_COVERAGE)
  target_compile_options(leat_sanitize INTERFACE --coverage)
  target_link_options(leat_sanitize INTERFACE --coverage)
endif()

add_library(leat_hardening INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(leat_hardening INTERFACE -fstack-protector-strong -fstack-clash-protection
    $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection> -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(leat_hardening INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(leat_hardening INTERFACE -march=x86-64-v2)
endif()
