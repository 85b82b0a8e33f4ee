/*
 * wav_read.c: decodes WAV from memory. Nothing in the file is trusted.
 *
 *   0  "RIFF"  4  length of the rest  8  "WAVE"  12  chunks
 *   chunk: 0 id  4 length  8 data, then a pad byte if the length is odd
 *   fmt:   0 tag  2 channels  4 rate  8 bytes/s  12 bytes per frame  14 bits per sample
 *          extensible: 16 size  18 valid bits  20 speakers  24 GUID, which begins with the real tag
 */
#include "job/wav.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_PCM = 1, TAG_FLOAT = 3, TAG_EXTENSIBLE = 0xfffe };

/* What follows the tag in a GUID of WAVEFORMATEXTENSIBLE. */
static const uint8_t guid_tail[14] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                      0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};

typedef struct wav_format {
    uint32_t tag, channels, rate_hz, frame_bytes, bits;
} wav_format;

typedef struct wav_input {
    const uint8_t *data;
    size_t length;
    const char *name;
    rk_err *err;
} wav_input;

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static const char *tag_name(uint32_t tag)
{
    switch (tag) {
    case 2: return "Microsoft ADPCM";
    case 6: return "A-law";
    case 7: return "mu-law";
    case 0x11: return "IMA ADPCM";
    case 0x55: return "MP3";
    default: return "an unknown format";
    }
}

static rk_status check_format(const wav_input *in, size_t at, const wav_format *format)
{
    uint32_t bits = format->bits;
    bool pcm = format->tag == TAG_PCM && (bits == 8 || bits == 16 || bits == 24 || bits == 32);
    bool real = format->tag == TAG_FLOAT && (bits == 32 || bits == 64);
    if (format->tag != TAG_PCM && format->tag != TAG_FLOAT) {
        return rk_err_set(
            in->err, RK_UNSUPPORTED,
            "%s: byte %zu: the samples are in %s (tag 0x%04x); convert the file to PCM "
            "or float",
            in->name, at, tag_name(format->tag), format->tag);
    }
    if (!pcm && !real) {
        return rk_err_set(in->err, RK_UNSUPPORTED,
                          "%s: byte %zu: %s samples of %u bits; known are PCM of 8, 16, 24, 32 and "
                          "float of 32, 64 bits",
                          in->name, at + 14, format->tag == TAG_PCM ? "PCM" : "float", bits);
    }
    if (format->channels == 0 || format->channels > RK_WAV_CHANNELS_MAX) {
        return rk_err_set(in->err, RK_CORRUPT, "%s: byte %zu: %u channels; 1 to %u are possible",
                          in->name, at + 2, format->channels, RK_WAV_CHANNELS_MAX);
    }
    if (format->rate_hz == 0 || format->rate_hz > 10000000) {
        return rk_err_set(in->err, RK_CORRUPT,
                          "%s: byte %zu: a sample rate of %u Hz is outside 1 .. 10000000", in->name,
                          at + 4, format->rate_hz);
    }
    if (format->frame_bytes != format->channels * (bits / 8)) {
        return rk_err_set(in->err, RK_CORRUPT,
                          "%s: byte %zu: %u bytes per frame do not hold %u channels of %u bits",
                          in->name, at + 12, format->frame_bytes, format->channels, bits);
    }
    return RK_OK;
}

static rk_status read_format(const wav_input *in, size_t at, size_t length, wav_format *out)
{
    if (length < 16) {
        return rk_err_set(in->err, RK_CORRUPT,
                          "%s: byte %zu: the fmt chunk has %zu bytes, at least 16 are needed",
                          in->name, at, length);
    }
    const uint8_t *data = in->data + at;
    wav_format format = {get16(data), get16(data + 2), get32(data + 4), get16(data + 12),
                         get16(data + 14)};
    if (format.tag == TAG_EXTENSIBLE) {
        if (length < 40) {
            return rk_err_set(in->err, RK_CORRUPT,
                              "%s: byte %zu: the extensible fmt chunk has %zu bytes, 40 are needed",
                              in->name, at, length);
        }
        if (memcmp(data + 26, guid_tail, sizeof(guid_tail)) != 0) {
            return rk_err_set(in->err, RK_UNSUPPORTED,
                              "%s: byte %zu: the sub-format is neither PCM nor float", in->name,
                              at + 24);
        }
        uint32_t valid = get16(data + 18);
        if (valid > format.bits) {
            return rk_err_set(in->err, RK_CORRUPT,
                              "%s: byte %zu: %u valid bits do not fit in samples of %u bits",
                              in->name, at + 18, valid, format.bits);
        }
        format.tag = get16(data + 24);
    }
    rk_status status = check_format(in, at, &format);
    if (status == RK_OK) {
        *out = format;
    }
    return status;
}

static float sample_value(const uint8_t *at, uint32_t tag, uint32_t bits)
{
    uint32_t low = bits >= 32 ? get32(at) : 0;
    if (tag == TAG_FLOAT && bits == 32) {
        float value;
        memcpy(&value, &low, sizeof(value));
        return value;
    }
    if (tag == TAG_FLOAT) {
        uint64_t both = low | (uint64_t)get32(at + 4) << 32;
        double value;
        memcpy(&value, &both, sizeof(value));
        return (float)value;
    }
    switch (bits) {
    case 8: return ((float)at[0] - 128.0f) / 128.0f;
    case 16: return (float)(int16_t)get16(at) / 32768.0f;
    case 24: return (float)((int32_t)((get16(at) | (uint32_t)at[2] << 16) << 8) / 256) / 8388608.0f;
    default: return (float)((double)(int32_t)low / 2147483648.0);
    }
}

static rk_status read_samples(const wav_input *in, size_t at, size_t length,
                              const wav_format *format, rk_wav *out)
{
    if (length % format->frame_bytes != 0) {
        return rk_err_set(in->err, RK_CORRUPT,
                          "%s: byte %zu: the data chunk of %zu bytes ends inside a frame of %u "
                          "bytes",
                          in->name, at, length, format->frame_bytes);
    }
    uint32_t sample_bytes = format->bits / 8;
    size_t count = length / sample_bytes;
    float *samples = malloc((count ? count : 1) * sizeof(*samples));
    if (!samples) {
        return rk_err_set(in->err, RK_NO_MEMORY, "%s: no memory for %zu samples", in->name, count);
    }
    for (size_t i = 0; i < count; i++) {
        size_t offset = at + i * sample_bytes;
        samples[i] = sample_value(in->data + offset, format->tag, format->bits);
        if (!isfinite(samples[i])) {
            free(samples);
            return rk_err_set(in->err, RK_CORRUPT,
                              "%s: byte %zu: sample %zu is not a finite number in single precision",
                              in->name, offset, i);
        }
    }
    *out = (rk_wav){format->rate_hz, format->channels, length / format->frame_bytes, samples};
    return RK_OK;
}

static rk_status check_head(const wav_input *in)
{
    if (in->length < 12) {
        return rk_err_set(in->err, RK_CORRUPT, "%s: byte 0: %zu bytes are too few for a WAV file",
                          in->name, in->length);
    }
    if (memcmp(in->data, "RF64", 4) == 0 || memcmp(in->data, "BW64", 4) == 0 ||
        memcmp(in->data, "RIFX", 4) == 0) {
        return rk_err_set(in->err, RK_UNSUPPORTED,
                          "%s: byte 0: files of the kind %.4s are not read; convert it to a plain "
                          "WAV file",
                          in->name, (const char *)in->data);
    }
    if (memcmp(in->data, "RIFF", 4) != 0 || memcmp(in->data + 8, "WAVE", 4) != 0) {
        return rk_err_set(
            in->err, RK_CORRUPT,
            "%s: byte 0: this is not a WAV file: it does not begin with RIFF and WAVE", in->name);
    }
    return RK_OK;
}

rk_status rk_wav_decode(const void *data, size_t length, const char *name, rk_wav *out_wav,
                        rk_err *err)
{
    wav_input in = {data, length, name, err};
    rk_status status = check_head(&in);
    if (status != RK_OK) {
        return status;
    }
    wav_format format = {0};
    bool has_format = false;
    size_t at = 12;
    while (length - at >= 8) {
        size_t chunk = get32(in.data + at + 4);
        const uint8_t *id = in.data + at;
        size_t left = length - at - 8;
        if (chunk > left) {
            return rk_err_set(err, RK_CORRUPT,
                              "%s: byte %zu: a chunk of %zu bytes is announced, but the file ends "
                              "after %zu more: it is cut off",
                              name, at + 4, chunk, left);
        }
        if (memcmp(id, "fmt ", 4) == 0) {
            if (has_format) {
                return rk_err_set(err, RK_CORRUPT, "%s: byte %zu: a second fmt chunk", name, at);
            }
            status = read_format(&in, at + 8, chunk, &format);
            if (status != RK_OK) {
                return status;
            }
            has_format = true;
        } else if (memcmp(id, "data", 4) == 0) {
            if (!has_format) {
                return rk_err_set(err, RK_CORRUPT,
                                  "%s: byte %zu: the data chunk comes before the fmt chunk", name,
                                  at);
            }
            return read_samples(&in, at + 8, chunk, &format, out_wav);
        }
        size_t step = 8 + chunk + (chunk & 1);
        at = step > length - at ? length : at + step;
    }
    return rk_err_set(err, RK_CORRUPT, "%s: byte %zu: the file ends without a %s chunk", name, at,
                      has_format ? "data" : "fmt");
}

rk_status rk_wav_read(const char *path, rk_wav *out_wav, rk_err *err)
{
    char *data = NULL;
    size_t length = 0;
    rk_status status = rk_file_read_all(path, RK_WAV_FILE_BYTES_MAX, &data, &length, err);
    if (status != RK_OK) {
        return status;
    }
    status = rk_wav_decode(data, length, path, out_wav, err);
    free(data);
    return status;
}

void rk_wav_finish(rk_wav *wav)
{
    free(wav->samples);
    memset(wav, 0, sizeof(*wav));
}
