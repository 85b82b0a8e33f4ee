/*
 * WAV: round trips, every format read, every kind of damage refused, faults while writing.
 */
#include "near.h"

#include "base/test_file.h"
#include "base/test_folder.h"
#include "job/wav.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bytes {
    uint8_t data[4096];
    size_t length;
} bytes;

static void put(bytes *out, const void *data, size_t length)
{
    assert_true(out->length + length <= sizeof(out->data));
    memcpy(out->data + out->length, data, length);
    out->length += length;
}

static void put_int(bytes *out, uint64_t value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        put(out, &byte, 1);
    }
}

typedef struct shape {
    unsigned tag, channels, rate, bits;
    bool extensible, odd_chunk;
} shape;

/* A file with the given sample bytes. */
static bytes make_wav(shape s, const void *data, size_t length)
{
    static const uint8_t tail[14] = {0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};
    bytes out = {.length = 0};
    put(&out, "RIFF", 4);
    put_int(&out, 0, 4);
    put(&out, "WAVE", 4);
    if (s.odd_chunk) {
        put(&out, "LIST", 4);
        put_int(&out, 5, 4);
        put(&out, "hello\0", 6);
    }
    put(&out, "fmt ", 4);
    put_int(&out, s.extensible ? 40 : 16, 4);
    put_int(&out, s.extensible ? 0xfffe : s.tag, 2);
    put_int(&out, s.channels, 2);
    put_int(&out, s.rate, 4);
    put_int(&out, (uint64_t)s.rate * s.channels * s.bits / 8, 4);
    put_int(&out, s.channels * s.bits / 8, 2);
    put_int(&out, s.bits, 2);
    if (s.extensible) {
        put_int(&out, 22, 2);
        put_int(&out, s.bits, 2);
        put_int(&out, 0, 4);
        put_int(&out, s.tag, 2);
        put(&out, tail, 14);
    }
    put(&out, "data", 4);
    put_int(&out, length, 4);
    put(&out, data, length);
    if (length & 1) {
        put(&out, "", 1);
    }
    uint32_t rest = (uint32_t)(out.length - 8);
    memcpy(out.data + 4, &rest, 4);
    return out;
}

/*
 * Decodes from an allocation of the exact size, so that the sanitizer sees the first byte beyond.
 */
static rk_status decode(const bytes *in, rk_wav *out, rk_err *err)
{
    void *copy = malloc(in->length ? in->length : 1);
    assert_non_null(copy);
    memcpy(copy, in->data, in->length);
    rk_status status = rk_wav_decode(copy, in->length, "x.wav", out, err);
    free(copy);
    return status;
}

static void expect_samples(shape s, const void *data, size_t length, const float *expected,
                           size_t count)
{
    for (int variant = 0; variant < 4; variant++) {
        s.extensible = variant & 1;
        s.odd_chunk = variant & 2;
        bytes file = make_wav(s, data, length);
        rk_wav wav = {0};
        rk_err err = RK_ERR_INIT;
        assert_int_equal(decode(&file, &wav, &err), RK_OK);
        assert_int_equal(wav.rate_hz, s.rate);
        assert_int_equal(wav.channels, s.channels);
        assert_int_equal(wav.frames * wav.channels, count);
        for (size_t i = 0; i < count; i++) {
            assert_near(wav.samples[i], expected[i], 1e-7);
        }
        rk_wav_finish(&wav);
    }
}

static void every_format_is_read(void **state)
{
    (void)state;
    const uint8_t pcm8[3] = {0, 128, 255};
    expect_samples((shape){1, 1, 8000, 8, false, false}, pcm8, 3,
                   (float[]){-1.0f, 0.0f, 127.0f / 128.0f}, 3);
    const int16_t pcm16[4] = {0, 16384, -32768, 32767};
    expect_samples((shape){1, 2, 44100, 16, false, false}, pcm16, 8,
                   (float[]){0.0f, 0.5f, -1.0f, 32767.0f / 32768.0f}, 4);
    const uint8_t pcm24[6] = {0, 0, 0x40, 0, 0, 0x80};
    expect_samples((shape){1, 1, 48000, 24, false, false}, pcm24, 6, (float[]){0.5f, -1.0f}, 2);
    const int32_t pcm32[2] = {1 << 29, INT32_MIN};
    expect_samples((shape){1, 1, 96000, 32, false, false}, pcm32, 8, (float[]){0.25f, -1.0f}, 2);
    const float real[3] = {0.1f, -2.5f, 1e-20f};
    expect_samples((shape){3, 3, 192000, 32, false, false}, real, 12, real, 3);
    const double wide[2] = {0.1, -7.0};
    expect_samples((shape){3, 1, 22050, 64, false, false}, wide, 16, (float[]){0.1f, -7.0f}, 2);
    expect_samples((shape){1, 1, 8000, 16, false, false}, "", 0, NULL, 0);
}

static const int16_t four[4] = {1, 2, 3, 4};

static void refuse(const bytes *file, rk_status code, const char *part)
{
    rk_wav wav = {0};
    rk_err err = RK_ERR_INIT;
    assert_int_equal(decode(file, &wav, &err), code);
    assert_contains(err.text, "x.wav");
    assert_contains(err.text, "byte ");
    assert_contains(err.text, part);
    assert_null(wav.samples);
}

static bytes good(void)
{
    return make_wav((shape){1, 2, 44100, 16, false, false}, four, 8);
}

static void damage_is_refused_with_its_place(void **state)
{
    (void)state;
    bytes file = good();
    for (size_t length = 0; length < file.length; length++) {
        bytes cut = file;
        cut.length = length;
        refuse(&cut, RK_CORRUPT, "byte ");
    }
    file.data[0] = 'X';
    refuse(&file, RK_CORRUPT, "RIFF");
    file = good();
    memcpy(file.data, "RF64", 4);
    refuse(&file, RK_UNSUPPORTED, "RF64");
    file = good();
    file.data[20] = 7;
    refuse(&file, RK_UNSUPPORTED, "mu-law");
    file.data[20] = 99;
    refuse(&file, RK_UNSUPPORTED, "0x0063");
    file = good();
    file.data[34] = 12;
    refuse(&file, RK_UNSUPPORTED, "12 bits");
    file = good();
    file.data[22] = 0;
    refuse(&file, RK_CORRUPT, "0 channels");
    file = good();
    memset(file.data + 24, 0, 4);
    refuse(&file, RK_CORRUPT, "sample rate of 0");
    file = good();
    file.data[32] = 3;
    refuse(&file, RK_CORRUPT, "per frame");
    file = good();
    file.data[16] = 14;
    refuse(&file, RK_CORRUPT, "at least 16");
    file = good();
    memset(file.data + 40, 0xff, 4);
    refuse(&file, RK_CORRUPT, "cut off");
    file = good();
    file.data[40] = 6;
    refuse(&file, RK_CORRUPT, "inside a frame");
    file = good();
    memcpy(file.data + 36, "junk", 4);
    refuse(&file, RK_CORRUPT, "without a data chunk");
    memcpy(file.data + 12, "data", 4);
    refuse(&file, RK_CORRUPT, "before the fmt");
}

static void broken_extensions_and_samples_are_refused(void **state)
{
    (void)state;
    bytes file = make_wav((shape){1, 1, 44100, 16, true, false}, four, 8);
    file.data[50] ^= 1;
    refuse(&file, RK_UNSUPPORTED, "sub-format");
    file = make_wav((shape){1, 1, 44100, 16, true, false}, four, 8);
    file.data[38] = 17;
    refuse(&file, RK_CORRUPT, "17 valid bits");
    const float bad[2] = {0.0f, NAN};
    file = make_wav((shape){3, 1, 44100, 32, false, false}, bad, 8);
    refuse(&file, RK_CORRUPT, "sample 1 is not a finite");
    const double huge = 1e300;
    file = make_wav((shape){3, 1, 44100, 64, false, false}, &huge, 8);
    refuse(&file, RK_CORRUPT, "single precision");
    bytes twice = make_wav((shape){1, 1, 44100, 16, false, false}, four, 8);
    bytes again = {.length = 0};
    put(&again, twice.data, 36);
    put(&again, twice.data + 12, 24);
    refuse(&again, RK_CORRUPT, "second fmt");
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char path[512];
    snprintf(path, sizeof(path), "%s/a.wav", folder);
    float samples[3000];
    for (size_t i = 0; i < 3000; i++) {
        samples[i] = (float)sin((double)i * 0.01) * 0.99f;
    }
    for (int format = 0; format < 2; format++) {
        for (uint32_t channels = 1; channels <= 3; channels++) {
            rk_err err = RK_ERR_INIT;
            assert_int_equal(rk_wav_write(path, samples, 3000 / channels, channels, 44100,
                                          (rk_wav_format)format, &err),
                             RK_OK);
            rk_wav wav = {0};
            assert_int_equal(rk_wav_read(path, &wav, &err), RK_OK);
            assert_int_equal(wav.channels, channels);
            assert_int_equal(wav.frames, 3000 / channels);
            for (size_t i = 0; i < 3000 / channels * channels; i++) {
                assert_near(wav.samples[i], samples[i], format == RK_WAV_PCM16 ? 2e-5 : 0.0);
            }
            rk_wav_finish(&wav);
        }
    }
    rk_test_folder_remove(folder);
}

static void writer_appends_and_clips(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char path[512];
    snprintf(path, sizeof(path), "%s/b.wav", folder);
    rk_wav_writer writer;
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_wav_writer_open(&writer, path, 8000, 1, RK_WAV_PCM16, &err), RK_OK);
    const float loud[3] = {0.5f, 2.0f, -3.0f};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rk_wav_writer_append(&writer, loud, 3, &err), RK_OK);
    }
    assert_int_equal(writer.clipped_count, 10);
    assert_int_equal(rk_wav_writer_commit(&writer, &err), RK_OK);
    rk_wav wav = {0};
    assert_int_equal(rk_wav_read(path, &wav, &err), RK_OK);
    assert_int_equal(wav.frames, 15);
    assert_near(wav.samples[14], -1.0, 0.0);
    rk_wav_finish(&wav);
    rk_test_folder_remove(folder);
}

static void bad_output_is_refused(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char path[512];
    snprintf(path, sizeof(path), "%s/c.wav", folder);
    const float bad[2] = {0.0f, INFINITY};
    rk_err err = RK_ERR_INIT;
    assert_int_equal(rk_wav_write(path, bad, 2, 1, 8000, RK_WAV_FLOAT32, &err), RK_INVALID);
    assert_contains(err.text, "diverged");
    rk_wav wav = {0};
    assert_int_equal(rk_wav_read(path, &wav, &err), RK_NOT_FOUND);
    assert_contains(err.text, "c.wav");
    assert_int_equal(rk_wav_write(path, bad, 1, 0, 8000, RK_WAV_FLOAT32, &err), RK_INVALID);
    assert_int_equal(rk_wav_write(path, bad, 1, 1, 0, RK_WAV_FLOAT32, &err), RK_INVALID);
    rk_test_folder_remove(folder);
}

/* Whatever fails while a file is replaced, the name shows the old file or the new one, whole. */
static void faults_leave_the_old_or_the_new_file(void **state)
{
    (void)state;
    char folder[RK_TEST_FOLDER_BYTES];
    rk_test_folder_make(folder);
    char path[512];
    snprintf(path, sizeof(path), "%s/d.wav", folder);
    const float before[2] = {0.25f, 0.5f};
    const float after[3] = {-0.25f, -0.5f, -0.75f};
    rk_test_files files;
    rk_test_files_install(&files);
    for (int fault = RK_TEST_FAULT_ERROR; fault <= RK_TEST_FAULT_CRASH; fault++) {
        for (uint64_t n = 1;; n++) {
            assert_int_equal(rk_wav_write(path, before, 2, 1, 8000, RK_WAV_FLOAT32, NULL), RK_OK);
            rk_test_files_arm(&files, n, (rk_test_fault)fault, ENOSPC);
            rk_err err = RK_ERR_INIT;
            rk_status status = rk_wav_write(path, after, 3, 1, 8000, RK_WAV_FLOAT32, &err);
            bool struck = rk_test_files_struck(&files);
            rk_test_files_arm(&files, 0, RK_TEST_FAULT_NONE, 0);
            rk_wav wav = {0};
            assert_int_equal(rk_wav_read(path, &wav, NULL), RK_OK);
            assert_true(wav.frames == 2 || wav.frames == 3);
            assert_true(status != RK_OK || wav.frames == 3 || fault == RK_TEST_FAULT_CRASH);
            assert_true(status == RK_OK || err.text[0] != 0);
            rk_wav_finish(&wav);
            if (!struck) {
                assert_int_equal(status, RK_OK);
                break;
            }
        }
    }
    rk_test_files_remove(&files);
    rk_test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_read),
        cmocka_unit_test(damage_is_refused_with_its_place),
        cmocka_unit_test(broken_extensions_and_samples_are_refused),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(writer_appends_and_clips),
        cmocka_unit_test(bad_output_is_refused),
        cmocka_unit_test(faults_leave_the_old_or_the_new_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
