/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/fetch.h"

#define CONF struct leat_fetch_conf
#define WITHIN(section, member) (LEAT_AT(CONF, section.member) - LEAT_AT(CONF, section))
#define ROW(key, type, at, deflt, doc) {key, type, at, deflt, doc, 0, 0, 0, NULL, NULL, 0, 0}
#define SECRET(key, at, doc) {key, LEAT_STRING, at, NULL, doc, LEAT_SECRET, 0, 0, NULL, NULL, 0, 0}
#define SECTION(key, member, fields, doc) \
    {key, LEAT_SECTION, LEAT_AT(CONF, member), NULL, doc, 0, 0, 0, NULL, fields, 0, LEAT_PRESENT(CONF, member.present)}

static const struct leat_field basic_fields[] = {
    ROW("username", LEAT_STRING, WITHIN(basic_auth, username), NULL, "user name"),
    ROW("username_file", LEAT_STRING, WITHIN(basic_auth, username_file), NULL, "file with it; read again on change"),
    SECRET("password", WITHIN(basic_auth, password), "password"),
    ROW("password_file", LEAT_STRING, WITHIN(basic_auth, password_file), NULL, "file with it; read again on change"),
    {0}};

static const struct leat_field authorization_fields[] = {
    ROW("type", LEAT_STRING, WITHIN(authorization, type), "Bearer", "what stands before the credentials"),
    SECRET("credentials", WITHIN(authorization, credentials), "the token"),
    ROW("credentials_file", LEAT_STRING, WITHIN(authorization, credentials_file), NULL,
        "file with it; read again on change"),
    {0}};

static const struct leat_field tls_fields[] = {
    ROW("ca", LEAT_STRING, WITHIN(tls, ca), NULL, "certificates that vouch for the server, as text"),
    ROW("cert", LEAT_STRING, WITHIN(tls, cert), NULL, "our certificate, as text"),
    SECRET("key", WITHIN(tls, key), "our private key, as text"),
    ROW("ca_file", LEAT_STRING, WITHIN(tls, ca_file), NULL, "certificates that vouch for the server"),
    ROW("cert_file", LEAT_STRING, WITHIN(tls, cert_file), NULL, "our certificate"),
    ROW("key_file", LEAT_STRING, WITHIN(tls, key_file), NULL, "our private key"),
    ROW("server_name", LEAT_STRING, WITHIN(tls, server_name), NULL, "the name the server's certificate must carry"),
    ROW("insecure_skip_verify", LEAT_BOOL, WITHIN(tls, insecure_skip_verify), "false",
        "accept any certificate of the server"),
    ROW("min_version", LEAT_STRING, WITHIN(tls, min_version), NULL, "TLS10, TLS11, TLS12 (default) or TLS13"),
    ROW("max_version", LEAT_STRING, WITHIN(tls, max_version), NULL, "TLS10 to TLS13 (default)"),
    {0}};

const struct leat_field leat_fetch_fields[] = {
    SECTION("basic_auth", basic_auth, basic_fields, "user name and password"),
    SECTION("authorization", authorization, authorization_fields, "credentials of another kind, a bearer token most often"),
    {"bearer_token", LEAT_STRING, LEAT_AT(CONF, bearer_token), NULL, "write authorization: credentials",
     LEAT_SECRET | LEAT_DEPRECATED, 0, 0, NULL, NULL, 0, 0},
    {"bearer_token_file", LEAT_STRING, LEAT_AT(CONF, bearer_token_file), NULL,
     "write authorization: credentials_file", LEAT_DEPRECATED, 0, 0, NULL, NULL, 0, 0},
    SECTION("tls_config", tls, tls_fields, "how https is spoken"),
    ROW("follow_redirects", LEAT_BOOL, LEAT_AT(CONF, follow_redirects), "true",
        "follow 301, 302, 303, 307, 308, ten at most; credentials stay with the host they are for"),
    ROW("enable_http2", LEAT_IGNORED, 0, NULL, "targets are asked by HTTP/1.1"),
    ROW("proxy_url", LEAT_STRING, LEAT_AT(CONF, proxy_url), NULL,
        "http://[user:password@]host:port to go through, by CONNECT"),
    ROW("no_proxy", LEAT_STRING, LEAT_AT(CONF, no_proxy), NULL,
        "hosts, domains, addresses and networks that proxy_url is not for, with commas between"),
    ROW("proxy_from_environment", LEAT_BOOL, LEAT_AT(CONF, proxy_from_environment), "false",
        "use HTTP_PROXY, HTTPS_PROXY and NO_PROXY"),
    {"http_headers", LEAT_VALUE, LEAT_AT(CONF, http_headers), NULL,
     "headers added to every request: name: {values: [], secrets: [], files: []}", LEAT_SECRET, 0, 0, NULL, NULL, 0, 0},
    ROW("oauth2", LEAT_REFUSED, 0, NULL, "OAuth 2.0 is not spoken to targets"),
    ROW("proxy_connect_header", LEAT_REFUSED, 0, NULL, "proxies are asked without extra headers"),
    {0}};
