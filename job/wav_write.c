/*
 * wav_write.c: writes WAV files through a writer whose file appears at commit.
 *
 * The header is written first with lengths of 0 and patched at commit. Float files carry a fact
 * chunk, as the format demands for everything that is not PCM.
 */
#include "job/wav.h"

#include <math.h>
#include <string.h>

#define BLOCK_SAMPLES 1024

static uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value & 0xffff), value >> 16);
}

static uint8_t *put_id(uint8_t *at, const char *id)
{
    memcpy(at, id, 4);
    return at + 4;
}

static uint32_t sample_bytes(rk_wav_format format)
{
    return format == RK_WAV_PCM16 ? 2 : 4;
}

static uint32_t header_bytes(rk_wav_format format)
{
    return format == RK_WAV_PCM16 ? 44 : 58;
}

/* Returns the length, header_bytes(format). */
static size_t make_header(uint8_t *header, uint32_t rate_hz, uint32_t channels,
                          rk_wav_format format)
{
    bool real = format == RK_WAV_FLOAT32;
    uint32_t frame_bytes = channels * sample_bytes(format);
    uint8_t *at = put_id(header, "RIFF");
    at = put32(at, 0);
    at = put_id(at, "WAVE");
    at = put_id(at, "fmt ");
    at = put32(at, real ? 18 : 16);
    at = put16(at, real ? 3 : 1);
    at = put16(at, channels);
    at = put32(at, rate_hz);
    at = put32(at, rate_hz * frame_bytes);
    at = put16(at, frame_bytes);
    at = put16(at, sample_bytes(format) * 8);
    if (real) {
        at = put16(at, 0);
        at = put_id(at, "fact");
        at = put32(at, 4);
        at = put32(at, 0);
    }
    at = put_id(at, "data");
    at = put32(at, 0);
    return (size_t)(at - header);
}

rk_status rk_wav_writer_open(rk_wav_writer *writer, const char *path, uint32_t rate_hz,
                             uint32_t channels, rk_wav_format format, rk_err *err)
{
    memset(writer, 0, sizeof(*writer));
    writer->file.fd = -1;
    if (rate_hz == 0 || rate_hz > 10000000 || channels == 0 || channels > RK_WAV_CHANNELS_MAX) {
        return rk_err_set(err, RK_INVALID, "%s: cannot write %u channels at %u Hz", path, channels,
                          rate_hz);
    }
    writer->format = format;
    writer->channels = channels;
    rk_status status = rk_file_writer_open(&writer->file, path, 0644, err);
    if (status != RK_OK) {
        return status;
    }
    uint8_t header[64];
    size_t length = make_header(header, rate_hz, channels, format);
    status = rk_file_writer_append(&writer->file, header, length, err);
    if (status != RK_OK) {
        rk_file_writer_abandon(&writer->file);
    }
    return status;
}

/* Encodes up to BLOCK_SAMPLES; returns the bytes, or 0 when a sample is not finite. */
static size_t encode(rk_wav_writer *writer, const float *samples, size_t count, uint8_t *out)
{
    uint8_t *at = out;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(samples[i])) {
            return 0;
        }
        if (writer->format == RK_WAV_FLOAT32) {
            uint32_t bits;
            memcpy(&bits, &samples[i], sizeof(bits));
            at = put32(at, bits);
            continue;
        }
        double scaled = rint((double)samples[i] * 32768.0);
        if (scaled > 32767.0 || scaled < -32768.0) {
            writer->clipped_count++;
            scaled = scaled > 0.0 ? 32767.0 : -32768.0;
        }
        at = put16(at, (uint32_t)(int32_t)scaled & 0xffff);
    }
    return (size_t)(at - out);
}

rk_status rk_wav_writer_append(rk_wav_writer *writer, const float *samples, uint64_t frames,
                               rk_err *err)
{
    uint64_t frame_bytes = (uint64_t)writer->channels * sample_bytes(writer->format);
    uint64_t room = (0xffffff00ull - writer->frames * frame_bytes) / frame_bytes;
    if (frames > room) {
        return rk_err_set(err, RK_LIMIT, "%s: a WAV file holds at most 4 GiB; write fewer frames",
                          writer->file.path);
    }
    uint8_t block[BLOCK_SAMPLES * 4];
    size_t left = (size_t)frames * writer->channels;
    while (left > 0) {
        size_t count = left < BLOCK_SAMPLES ? left : BLOCK_SAMPLES;
        size_t length = encode(writer, samples, count, block);
        if (length == 0) {
            return rk_err_set(err, RK_INVALID,
                              "%s: a sample is not a finite number: the computation has diverged",
                              writer->file.path);
        }
        rk_status status = rk_file_writer_append(&writer->file, block, length, err);
        if (status != RK_OK) {
            return status;
        }
        samples += count;
        left -= count;
    }
    writer->frames += frames;
    return RK_OK;
}

rk_status rk_wav_writer_commit(rk_wav_writer *writer, rk_err *err)
{
    uint32_t head = header_bytes(writer->format);
    uint64_t data = writer->frames * writer->channels * sample_bytes(writer->format);
    rk_status status = RK_OK;
    if (data & 1) {
        status = rk_file_writer_append(&writer->file, "", 1, err);
    }
    uint8_t word[4];
    put32(word, (uint32_t)(head - 8 + data + (data & 1)));
    if (status == RK_OK) {
        status = rk_file_writer_patch(&writer->file, 4, word, 4, err);
    }
    put32(word, (uint32_t)data);
    if (status == RK_OK) {
        status = rk_file_writer_patch(&writer->file, head - 4, word, 4, err);
    }
    put32(word, (uint32_t)writer->frames);
    if (status == RK_OK && writer->format == RK_WAV_FLOAT32) {
        status = rk_file_writer_patch(&writer->file, head - 12, word, 4, err);
    }
    if (status != RK_OK) {
        rk_file_writer_abandon(&writer->file);
        return status;
    }
    return rk_file_writer_commit(&writer->file, err);
}

void rk_wav_writer_abandon(rk_wav_writer *writer)
{
    rk_file_writer_abandon(&writer->file);
}

rk_status rk_wav_write(const char *path, const float *samples, uint64_t frames, uint32_t channels,
                       uint32_t rate_hz, rk_wav_format format, rk_err *err)
{
    rk_wav_writer writer;
    rk_status status = rk_wav_writer_open(&writer, path, rate_hz, channels, format, err);
    if (status != RK_OK) {
        return status;
    }
    status = rk_wav_writer_append(&writer, samples, frames, err);
    if (status != RK_OK) {
        rk_wav_writer_abandon(&writer);
        return status;
    }
    return rk_wav_writer_commit(&writer, err);
}
