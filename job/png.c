/*
 * png.c: libpng behind a file writer.
 *
 * libpng reports failures by longjmp. Nothing that is allocated after setjmp is needed after it,
 * and the state it changes lives in an object that the jump does not touch.
 */
#include "job/png.h"

#include "base/file.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct png_output {
    rk_file_writer file;
    rk_status status;
    rk_err err;
} png_output;

static void on_error(png_structp png, png_const_charp text)
{
    png_output *out = png_get_error_ptr(png);
    if (out->status == RK_OK) {
        out->status = rk_err_set(&out->err, RK_INTERNAL, "%s: libpng: %s", out->file.path, text);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text; /* libpng warns only about questionable ancillary chunks, which we do not write */
}

static void on_write(png_structp png, png_bytep data, png_size_t length)
{
    png_output *out = png_get_io_ptr(png);
    out->status = rk_file_writer_append(&out->file, data, length, &out->err);
    if (out->status != RK_OK) {
        png_error(png, "write failed");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void encode(png_output *out, const uint8_t *rgb, uint32_t width, uint32_t height)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, out, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        out->status =
            rk_err_set(&out->err, RK_NO_MEMORY, "%s: no memory for the picture", out->file.path);
        png_destroy_write_struct(&png, NULL);
        return;
    }
    if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_write_fn(png, out, on_write, on_flush);
        png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
        png_set_compression_level(png, 6);
        png_write_info(png, info);
        for (uint32_t y = 0; y < height; y++) {
            png_write_row(png, rgb + (size_t)y * width * 3);
        }
        png_write_end(png, info);
    }
    png_destroy_write_struct(&png, &info);
}

rk_status rk_png_write(const char *path, const uint8_t *rgb, uint32_t width, uint32_t height,
                       rk_err *err)
{
    if (width == 0 || height == 0 || width > RK_PNG_SIDE_MAX || height > RK_PNG_SIDE_MAX) {
        return rk_err_set(err, RK_INVALID, "%s: a picture of %u x %u pixels; 1 to %u are possible",
                          path, width, height, RK_PNG_SIDE_MAX);
    }
    png_output out;
    memset(&out, 0, sizeof(out));
    rk_status status = rk_file_writer_open(&out.file, path, 0644, err);
    if (status != RK_OK) {
        return status;
    }
    encode(&out, rgb, width, height);
    if (out.status != RK_OK) {
        rk_file_writer_abandon(&out.file);
        return rk_err_set(err, out.status, "%s", out.err.text);
    }
    return rk_file_writer_commit(&out.file, err);
}
