/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

leat_rc leat_digest_md5(struct leat_slice text, uint8_t ret_digest[16])
{
    unsigned len = 0;
    if (EVP_Digest(text.at, text.len, ret_digest, &len, EVP_md5(), NULL) == 1 && len == 16)
        return LEAT_OK;
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? LEAT_ENOMEM : LEAT_EUNSUPPORTED;
}
