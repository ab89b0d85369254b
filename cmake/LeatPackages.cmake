# SPDX-License-Identifier: Apache-2.0
# Debian bookworm packages, found once; a target names the ones it needs (PkgConfig::NAME).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(package libuv libnghttp2 openssl libzstd libisal libfyaml libpcre2-8 libxxhash liblz4 libprotobuf-c cmocka jansson zlib)
  string(TOUPPER ${package} name)
  string(REGEX REPLACE "[^A-Z0-9]" "_" name ${name})
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${package})
endforeach()
find_library(SNAPPY_LIBRARY snappy REQUIRED) # Debian ships no .pc file
# A librdkafka of one's own: -DLEAT_RDKAFKA_ROOT=/opt/librdkafka (Debian's 2.0.2 cannot do SCRAM with Kafka 4).
set(LEAT_RDKAFKA_ROOT "" CACHE PATH "prefix of the librdkafka to build the kafka exporter with; empty: the system's")
if(LEAT_RDKAFKA_ROOT)
  set(ENV{PKG_CONFIG_PATH} "${LEAT_RDKAFKA_ROOT}/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
endif()
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
