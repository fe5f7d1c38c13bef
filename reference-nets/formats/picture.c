#include "formats/picture.h"
#include "formats/atomic_file.h"

#include <convoy/plugin.h>
#include <errno.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

enum { SIDE_MOST = 1 << 15 };

void picture_free(struct picture *picture)
{
    free(picture->pixels);
    memset(picture, 0, sizeof *picture);
}

static convoy_status no_memory(const char *path, struct convoy_error *err)
{
    return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its pixels", path);
}

/* ---- PNG: libpng's simplified interface ---- */

static convoy_status read_png(const char *path, struct picture *picture, struct convoy_error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path))
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", path, image.message);
    const bool colour = image.format & PNG_FORMAT_FLAG_COLOR;
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    convoy_status status = CONVOY_OK;
    if (image.width > SIDE_MOST || image.height > SIDE_MOST)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%.150s: %u x %u pixels are too many", path, image.width,
                             image.height);
    *picture = (struct picture){.h = (int32_t)image.height, .w = (int32_t)image.width, .channels = colour ? 3 : 1};
    if (!status && !(picture->pixels = malloc(PNG_IMAGE_SIZE(image))))
        status = no_memory(path, err);
    /* Transparent pixels are laid over black. */
    const png_color black = {0, 0, 0};
    if (!status && !png_image_finish_read(&image, &black, picture->pixels, 0, NULL))
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.150s: %s", path, image.message);
    png_image_free(&image);
    if (status)
        picture_free(picture);
    return status;
}

convoy_status picture_png(const struct picture *picture, void **png, size_t *bytes, struct convoy_error *err)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)picture->w,
        .height = (png_uint_32)picture->h,
        .format = picture->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY,
    };
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *to = malloc(size);
    if (!to)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a picture of %d x %d", picture->h,
                           picture->w);
    if (!png_image_write_to_memory(&image, to, &size, 0, picture->pixels, 0, NULL)) {
        free(to);
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "making a PNG: %s", image.message);
    }
    *png = to;
    *bytes = size;
    return CONVOY_OK;
}

convoy_status picture_write(const char *path, const struct picture *picture, struct convoy_error *err)
{
    void *png;
    size_t bytes;
    convoy_status status = picture_png(picture, &png, &bytes, err);
    if (status)
        return status;
    struct atomic_file file;
    status = atomic_open(&file, path, err);
    if (!status) {
        fwrite(png, 1, bytes, file.out);
        status = atomic_close(&file, CONVOY_OK, err);
    }
    free(png);
    return status;
}

/* ---- JPEG: the library reports errors by a call that must not return ---- */

struct jpeg_failure {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    char words[JMSG_LENGTH_MAX];
};

static void jpeg_failed(j_common_ptr info)
{
    struct jpeg_failure *failure = (struct jpeg_failure *)info->err;
    info->err->format_message(info, failure->words);
    longjmp(failure->back, 1);
}

/* Damaged data are only a warning to the library; a picture that is half gray is an error here. */
static void jpeg_warned(j_common_ptr info, int level)
{
    if (level < 0)
        jpeg_failed(info);
}

static void decode_jpeg(struct jpeg_decompress_struct *info, FILE *in, struct picture *picture)
{
    jpeg_stdio_src(info, in);
    jpeg_read_header(info, TRUE);
    info->out_color_space = info->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(info);
    picture->h = (int32_t)info->output_height;
    picture->w = (int32_t)info->output_width;
    picture->channels = info->output_components;
    const size_t row_bytes = (size_t)picture->w * (size_t)picture->channels;
    picture->pixels = malloc((size_t)picture->h * row_bytes);
    while (picture->pixels && info->output_scanline < info->output_height) {
        JSAMPROW row = picture->pixels + info->output_scanline * row_bytes;
        jpeg_read_scanlines(info, &row, 1);
    }
    if (picture->pixels)
        jpeg_finish_decompress(info);
}

static convoy_status read_jpeg(const char *path, FILE *in, struct picture *picture, struct convoy_error *err)
{
    struct jpeg_decompress_struct info;
    struct jpeg_failure failure;
    *picture = (struct picture){0};
    info.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = jpeg_failed;
    failure.manager.emit_message = jpeg_warned;
    convoy_status status = CONVOY_OK;
    if (setjmp(failure.back)) {
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%.100s: %.130s", path, failure.words);
        picture_free(picture);
    } else {
        jpeg_create_decompress(&info);
        decode_jpeg(&info, in, picture);
        if (!picture->pixels)
            status = no_memory(path, err);
    }
    jpeg_destroy_decompress(&info);
    return status;
}

convoy_status picture_read(const char *path, struct picture *picture, struct convoy_error *err)
{
    uint8_t head[8] = {0};
    FILE *in = fopen(path, "rb");
    if (!in)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: %s", path, strerror(errno));
    const size_t got = fread(head, 1, sizeof head, in);
    rewind(in);
    convoy_status status;
    if (got == sizeof head && !png_sig_cmp(head, 0, sizeof head))
        status = read_png(path, picture, err);
    else if (got > 2 && head[0] == 0xff && head[1] == 0xd8)
        status = read_jpeg(path, in, picture, err);
    else
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: neither PNG nor JPEG", path);
    fclose(in);
    return status;
}

/* ---- filters ---- */

enum { GAP = 1, ENLARGE = 4 };

static uint8_t level(float value, float least, float most)
{
    const float share = most > least ? (value - least) / (most - least) : 0.5f;
    return (uint8_t)(share * 255 + 0.5f);
}

convoy_status picture_filters(const float *w, int32_t k, int32_t c, int32_t kh, int32_t kw, struct picture *picture,
                              struct convoy_error *err)
{
    int32_t columns = 1;
    while (columns * columns < k)
        columns++;
    const int32_t rows = (k + columns - 1) / columns, taps = kh * kw, side_h = kh * ENLARGE + GAP, side_w = kw * ENLARGE + GAP;
    *picture = (struct picture){.h = rows * side_h + GAP, .w = columns * side_w + GAP, .channels = c == 3 ? 3 : 1};
    picture->pixels = calloc((size_t)picture->h * (size_t)picture->w, (size_t)picture->channels);
    if (!picture->pixels)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "no memory for a picture of %d filters", k);
    for (int32_t filter = 0; filter < k; filter++) {
        const float *from = w + (int64_t)filter * c * taps;
        float least = from[0], most = from[0];
        for (int32_t i = 1; i < c * taps; i++) {
            least = from[i] < least ? from[i] : least;
            most = from[i] > most ? from[i] : most;
        }
        for (int32_t y = 0; y < kh * ENLARGE; y++) {
            for (int32_t x = 0; x < kw * ENLARGE; x++) {
                const int32_t tap = y / ENLARGE * kw + x / ENLARGE;
                const int64_t at =
                    (int64_t)(GAP + filter / columns * side_h + y) * picture->w + GAP + filter % columns * side_w + x;
                float mean = 0;
                for (int32_t channel = 0; channel < c; channel++)
                    mean += from[channel * taps + tap] / (float)c;
                for (int32_t channel = 0; channel < picture->channels; channel++)
                    picture->pixels[at * picture->channels + channel] =
                        level(c == 3 ? from[channel * taps + tap] : mean, least, most);
            }
        }
    }
    return CONVOY_OK;
}
