/*
 * wav.h: reads and writes WAV files (RIFF WAVE; Microsoft, Multimedia Programming Interface and
 * Data Specifications 1.0, and WAVEFORMATEXTENSIBLE).
 *
 * Read: PCM of 8 (unsigned), 16, 24 and 32 bits, float of 32 and 64 bits, plain or extensible, up
 * to 256 channels, chunks in any order after "fmt ". Everything becomes float; full scale is 1.
 * Everything else is refused with a sentence that names the file, the byte offset and the cause.
 */
#ifndef RK_JOB_WAV_H
#define RK_JOB_WAV_H

#include "base/file.h"

#include <ringkernel/status.h>

#define RK_WAV_FILE_BYTES_MAX (512ull << 20)
#define RK_WAV_CHANNELS_MAX 256u

/* Owned samples: frame after frame, channel after channel within a frame. */
typedef struct rk_wav {
    uint32_t rate_hz;
    uint32_t channels;
    uint64_t frames;
    float *samples;
} rk_wav;

/* What the samples looked like in the file: "16-bit PCM" and so on come from these. */
typedef enum rk_wav_format { RK_WAV_PCM16, RK_WAV_FLOAT32 } rk_wav_format;

/*
 * Reads a file; the caller ends with rk_wav_finish. RK_NOT_FOUND, RK_PERMISSION, RK_IO, RK_LIMIT
 * (larger than RK_WAV_FILE_BYTES_MAX), RK_CORRUPT, RK_UNSUPPORTED, RK_NO_MEMORY.
 */
rk_status rk_wav_read(const char *path, rk_wav *out_wav, rk_err *err);

/* The same from memory; name stands for the file in sentences. */
rk_status rk_wav_decode(const void *data, size_t length, const char *name, rk_wav *out_wav,
                        rk_err *err);

/* Frees the samples. A zeroed rk_wav is fine. */
void rk_wav_finish(rk_wav *wav);

/* A WAV file that grows; it appears at commit, whole or not at all. One thread at a time. */
typedef struct rk_wav_writer {
    rk_file_writer file;
    rk_wav_format format;
    uint32_t channels;
    uint64_t frames;
    uint64_t clipped_count; /* 16-bit samples that were beyond full scale */
} rk_wav_writer;

rk_status rk_wav_writer_open(rk_wav_writer *writer, const char *path, uint32_t rate_hz,
                             uint32_t channels, rk_wav_format format, rk_err *err);

/* frames * channels samples. RK_INVALID for a sample that is not finite, RK_LIMIT beyond 4 GiB. */
rk_status rk_wav_writer_append(rk_wav_writer *writer, const float *samples, uint64_t frames,
                               rk_err *err);
rk_status rk_wav_writer_commit(rk_wav_writer *writer, rk_err *err);
void rk_wav_writer_abandon(rk_wav_writer *writer);

/* All at once. */
rk_status rk_wav_write(const char *path, const float *samples, uint64_t frames, uint32_t channels,
                       uint32_t rate_hz, rk_wav_format format, rk_err *err);

#endif
