/* SPDX-License-Identifier: Apache-2.0 */
/* identity -- certificates made by the test, in files of its own. */
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/kit/kit.h"

/* ---- a CA, and certificates it signs ---- */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[64], key_file[64];
};

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    EXPECT(extension != NULL);
    (void)X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static void write_files(struct identity *id)
{
    static int number;
    (void)snprintf(id->cert_file, sizeof id->cert_file, "/tmp/leat-test-%d-%d.crt", (int)getpid(), number);
    (void)snprintf(id->key_file, sizeof id->key_file, "/tmp/leat-test-%d-%d.key", (int)getpid(), number++);
    FILE *file = fopen(id->cert_file, "w");
    EXPECT(file && PEM_write_X509(file, id->cert));
    (void)fclose(file);
    file = fopen(id->key_file, "w");
    EXPECT(file && PEM_write_PrivateKey(file, id->key, NULL, NULL, 0, NULL, NULL));
    (void)fclose(file);
}

static struct identity make_identity(const char *name, const struct identity *issuer)
{
    struct identity id = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
    (void)X509_set_version(id.cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(id.cert), 1 + rand());
    (void)X509_gmtime_adj(X509_getm_notBefore(id.cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
    (void)X509_set_pubkey(id.cert, id.key);
    X509_NAME *subject = X509_get_subject_name(id.cert);
    (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    (void)X509_set_issuer_name(id.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    add_extension(id.cert, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (issuer)
        add_extension(id.cert, NID_subject_alt_name, "DNS:leat.test,IP:127.0.0.1");
    EXPECT(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()) > 0);
    write_files(&id);
    return id;
}

static void drop_identity(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
    (void)unlink(id->cert_file);
    (void)unlink(id->key_file);
}
