/*
 * png.h: writes an RGB picture as a PNG file, whole or not at all. Any thread; blocks.
 */
#ifndef RK_JOB_PNG_H
#define RK_JOB_PNG_H

#include <ringkernel/status.h>

#define RK_PNG_SIDE_MAX 16384u

/*
 * rgb holds height rows of width pixels of 3 bytes, top row first. RK_INVALID for a side of 0 or
 * more than RK_PNG_SIDE_MAX; otherwise what the file operations return.
 */
rk_status rk_png_write(const char *path, const uint8_t *rgb, uint32_t width, uint32_t height,
                       rk_err *err);

#endif
