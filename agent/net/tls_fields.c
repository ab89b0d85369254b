/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/tls.h"

#define CONF struct leat_tls_conf

/* What clients and servers have in common, as the Collector spells it. */
#define COMMON_FIELDS                                                                                                  \
    {"insecure_skip_verify", LEAT_BOOL, LEAT_AT(CONF, insecure_skip_verify), "false",                                  \
     "accept any certificate of the peer", 0, 0, 0, NULL, NULL, 0, 0},                                                 \
    {"ca_file", LEAT_STRING, LEAT_AT(CONF, ca_file), NULL, "certificates that vouch for the peer", 0, 0, 0, NULL,      \
     NULL, 0, 0},                                                                                                      \
    {"ca_pem", LEAT_STRING, LEAT_AT(CONF, ca_pem), NULL, "the same, as text", LEAT_SECRET, 0, 0, NULL, NULL, 0, 0},    \
    {"cert_file", LEAT_STRING, LEAT_AT(CONF, cert_file), NULL, "our certificate chain", 0, 0, 0, NULL, NULL, 0, 0},    \
    {"cert_pem", LEAT_STRING, LEAT_AT(CONF, cert_pem), NULL, "the same, as text", LEAT_SECRET, 0, 0, NULL, NULL, 0,    \
     0},                                                                                                               \
    {"key_file", LEAT_STRING, LEAT_AT(CONF, key_file), NULL, "our private key", 0, 0, 0, NULL, NULL, 0, 0},            \
    {"key_pem", LEAT_STRING, LEAT_AT(CONF, key_pem), NULL, "the same, as text", LEAT_SECRET, 0, 0, NULL, NULL, 0, 0},  \
    {"include_system_ca_certs_pool", LEAT_BOOL, LEAT_AT(CONF, include_system_ca_certs_pool), "false",                  \
     "trust the system's certificates beside ca_file", 0, 0, 0, NULL, NULL, 0, 0},                                     \
    {"min_version", LEAT_STRING, LEAT_AT(CONF, min_version), "\"1.2\"", "lowest TLS version: 1.0 to 1.3", 0, 0, 0,     \
     NULL, NULL, 0, 0},                                                                                                \
    {"max_version", LEAT_STRING, LEAT_AT(CONF, max_version), NULL, "highest TLS version; unset: 1.3", 0, 0, 0, NULL,   \
     NULL, 0, 0},                                                                                                      \
    {"cipher_suites", LEAT_STRINGS, LEAT_AT(CONF, cipher_suites), NULL,                                                \
     "TLS 1.2 suites by their IANA names; unset: OpenSSL's secure ones", 0, 0, 0, NULL, NULL, 0, 0},                   \
    {"curve_preferences", LEAT_STRINGS, LEAT_AT(CONF, curve_preferences), NULL,                                        \
     "X25519, P256, P384, P521 in order of preference", 0, 0, 0, NULL, NULL, 0, 0},                                    \
    {"reload_interval", LEAT_DURATION, LEAT_AT(CONF, reload_interval_ns), NULL,                                        \
     "how often changed files are read again; unset: never", 0, 0, 9e18, NULL, NULL, 0, 0},                            \
    {"include_insecure_cipher_suites", LEAT_REFUSED, 0, NULL, "insecure cipher suites are never offered", 0, 0, 0,     \
     NULL, NULL, 0, 0},                                                                                                \
    {"tpm", LEAT_REFUSED, 0, NULL, "keys in a TPM are not supported", 0, 0, 0, NULL, NULL, 0, 0}

const struct leat_field leat_tls_client_fields[] = {
    {"insecure", LEAT_BOOL, LEAT_AT(CONF, insecure), "false", "no TLS at all", 0, 0, 0, NULL, NULL, 0, 0},
    {"server_name_override", LEAT_STRING, LEAT_AT(CONF, server_name_override), NULL,
     "the name the server's certificate must carry, and SNI", 0, 0, 0, NULL, NULL, 0, 0},
    COMMON_FIELDS,
    {0}};

const struct leat_field leat_tls_server_fields[] = {
    {"client_ca_file", LEAT_STRING, LEAT_AT(CONF, client_ca_file), NULL,
     "clients must show a certificate that these vouch for", 0, 0, 0, NULL, NULL, 0, 0},
    {"client_ca_file_reload", LEAT_BOOL, LEAT_AT(CONF, client_ca_file_reload), "false",
     "read client_ca_file again when it changes (looked at each reload_interval, or 10s)", 0, 0, 0, NULL, NULL, 0, 0},
    COMMON_FIELDS,
    {0}};
