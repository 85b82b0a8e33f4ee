/*
 * SHA-256: the examples of NIST, and every way to cut a message into pieces.
 */
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void digest_of(const void *data, size_t length, char out_text[RK_SHA256_TEXT_BYTES])
{
    rk_sha256 sha;
    unsigned char digest[RK_SHA256_BYTES];
    rk_sha256_init(&sha);
    rk_sha256_add(&sha, data, length);
    rk_sha256_finish(&sha, digest);
    rk_sha256_text(digest, out_text);
}

/*
 * NIST, "Cryptographic Standards and Guidelines: Examples with Intermediate Values", SHA-256, and
 * the byte-oriented vectors of the Cryptographic Algorithm Validation Program (SHA256ShortMsg).
 */
static void test_nist_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
         "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {"\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char text[RK_SHA256_TEXT_BYTES];
        digest_of(vectors[i].message, strlen(vectors[i].message), text);
        assert_string_equal(text, vectors[i].digest);
    }
}

static void test_a_million_bytes(void **state)
{
    (void)state;
    enum { COUNT = 1000000 };
    char text[RK_SHA256_TEXT_BYTES];
    unsigned char *data = malloc(COUNT);
    assert_non_null(data);
    memset(data, 'a', COUNT);
    digest_of(data, COUNT, text);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(data);
}

/* Lengths around the block and the padding, in two and in three pieces. */
static void test_pieces(void **state)
{
    (void)state;
    enum { MOST = 200 };
    unsigned char data[MOST];
    for (unsigned i = 0; i < MOST; i++) {
        data[i] = (unsigned char)(i * 7 + 3);
    }
    for (size_t length = 0; length <= MOST; length++) {
        char whole[RK_SHA256_TEXT_BYTES];
        char pieces[RK_SHA256_TEXT_BYTES];
        digest_of(data, length, whole);
        for (size_t cut = 0; cut <= length; cut += 1 + length / 16) {
            rk_sha256 sha;
            unsigned char digest[RK_SHA256_BYTES];
            size_t second = (length - cut) / 3;
            rk_sha256_init(&sha);
            rk_sha256_add(&sha, data, cut);
            rk_sha256_add(&sha, data + cut, second);
            rk_sha256_add(&sha, data + cut + second, length - cut - second);
            rk_sha256_finish(&sha, digest);
            rk_sha256_text(digest, pieces);
            assert_string_equal(pieces, whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nist_vectors),
        cmocka_unit_test(test_a_million_bytes),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
