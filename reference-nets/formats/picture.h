/* picture: PNG and JPEG files and memory <-> pixels, through libpng and libjpeg-turbo. Knows files only. */
#ifndef CONVOY_FORMATS_PICTURE_H
#define CONVOY_FORMATS_PICTURE_H

#include <convoy/convoy.h>

struct picture {
    int32_t h, w, channels;
    uint8_t *pixels;
}; /* [h][w][channels], channels 1 or 3            */

/* By content, not by name. Damaged files are CONVOY_FAILED with the library's words; the caller frees with picture_free. */
convoy_status picture_read(const char *path, struct picture *picture, struct convoy_error *err);
void picture_free(struct picture *picture);
/* The whole PNG file; free() it. */
convoy_status picture_png(const struct picture *picture, void **png, size_t *bytes, struct convoy_error *err);
convoy_status picture_write(const char *path, const struct picture *picture, struct convoy_error *err);

/* First-layer filters [k][c][kh][kw] as tiles in a near-square grid, each scaled to its own range; c 3 in colour, else gray of
 * the mean. */
convoy_status picture_filters(const float *w, int32_t k, int32_t c, int32_t kh, int32_t kw, struct picture *picture,
                              struct convoy_error *err);

#endif
