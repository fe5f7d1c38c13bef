/* Pictures: PNG and JPEG files in FOLDER/train/CLASS/, FOLDER/test or FOLDER/val likewise. Classes are the sorted names of the
 * folders, files are read when they are asked for and scaled to the common size. */
#include "data/readers.h"
#include "formats/picture.h"

#include <convoy/plugin.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct file {
    char *path;
    int32_t label;
};

struct folder {
    struct file *file;
    int64_t files, room;
    char **class_name;
    int32_t classes;
};

static void free_folder(struct folder *folder)
{
    for (int64_t i = 0; i < folder->files; i++)
        free(folder->file[i].path);
    for (int32_t k = 0; k < folder->classes; k++)
        free(folder->class_name[k]);
    free(folder->file);
    free(folder->class_name);
    free(folder);
}

static void close_set(struct dataset *set)
{
    free_folder(set->own);
}

static const char *class_name(const struct dataset *set, int32_t label)
{
    const struct folder *folder = set->own;
    return label >= 0 && label < folder->classes ? folder->class_name[label] : NULL;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

static bool is_picture(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg"};
    const size_t length = strlen(name);
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
        const size_t ending = strlen(endings[e]);
        if (length > ending && !strcasecmp(name + length - ending, endings[e]))
            return true;
    }
    return false;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static convoy_status add_file(struct folder *folder, const char *parent, const char *name, int32_t label,
                              struct convoy_error *err)
{
    if (folder->files == folder->room) {
        const int64_t room = folder->room ? 2 * folder->room : 1024;
        struct file *more = realloc(folder->file, (size_t)room * sizeof *more);
        if (!more)
            return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its list of files", parent);
        folder->file = more;
        folder->room = room;
    }
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s", parent, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_SIZE, "%.100s: a path in it is too long", parent);
    char *copy = strdup(path);
    if (!copy)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its list of files", parent);
    folder->file[folder->files++] = (struct file){copy, label};
    return CONVOY_OK;
}

static convoy_status list_class(struct folder *folder, const char *path, int32_t label, struct convoy_error *err)
{
    struct dirent **entry;
    const int entries = scandir(path, &entry, visible, alphasort);
    if (entries < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot be listed", path);
    convoy_status status = CONVOY_OK;
    for (int e = 0; e < entries; e++) {
        if (!status && is_picture(entry[e]->d_name))
            status = add_file(folder, path, entry[e]->d_name, label, err);
        free(entry[e]);
    }
    free(entry);
    return status;
}

static convoy_status list_classes(struct folder *folder, const char *root, struct convoy_error *err)
{
    struct dirent **entry;
    const int entries = scandir(root, &entry, visible, alphasort);
    if (entries < 0)
        return convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: cannot be listed", root);
    convoy_status status = CONVOY_OK;
    folder->class_name = calloc((size_t)entries + 1, sizeof *folder->class_name);
    if (!folder->class_name)
        status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its classes", root);
    for (int e = 0; e < entries; e++) {
        char path[4096];
        const int length = snprintf(path, sizeof path, "%s/%s", root, entry[e]->d_name);
        if (!status && length > 0 && (size_t)length < sizeof path && is_folder(path)) {
            char *name = strdup(entry[e]->d_name);
            if (!name)
                status = convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory for its classes", root);
            else
                folder->class_name[folder->classes++] = name;
            if (!status)
                status = list_class(folder, path, folder->classes - 1, err);
        }
        free(entry[e]);
    }
    free(entry);
    if (!status && !folder->files)
        status = convoy_fail(err, CONVOY_FAILED, CONVOY_WHY_OTHER, "%s: no PNG or JPEG files in folders of classes", root);
    return status;
}

/* Bilinear, pixel centres at halves; channels: gray is repeated, colour becomes gray by its mean. */
static void scale_into(const struct picture *from, int32_t channels, int32_t height, int32_t width, float *to)
{
    for (int32_t h = 0; h < height; h++) {
        const double y = ((double)h + 0.5) * from->h / height - 0.5;
        const int32_t h0 = (int32_t)convoy_max(0, convoy_min(from->h - 1, (int64_t)(y < 0 ? 0 : y)));
        const int32_t h1 = (int32_t)convoy_min(from->h - 1, h0 + 1);
        const double fy = y <= h0 ? 0 : y - h0;
        for (int32_t w = 0; w < width; w++) {
            const double x = ((double)w + 0.5) * from->w / width - 0.5;
            const int32_t w0 = (int32_t)convoy_max(0, convoy_min(from->w - 1, (int64_t)(x < 0 ? 0 : x)));
            const int32_t w1 = (int32_t)convoy_min(from->w - 1, w0 + 1);
            const double fx = x <= w0 ? 0 : x - w0;
            double value[3], sum = 0;
            for (int32_t c = 0; c < from->channels; c++) {
                const uint8_t *top = from->pixels + (int64_t)h0 * from->w * from->channels + c;
                const uint8_t *low = from->pixels + (int64_t)h1 * from->w * from->channels + c;
                value[c] = (1 - fy) * ((1 - fx) * top[w0 * from->channels] + fx * top[w1 * from->channels]) +
                           fy * ((1 - fx) * low[w0 * from->channels] + fx * low[w1 * from->channels]);
                sum += value[c];
            }
            for (int32_t c = 0; c < channels; c++) {
                const double v = channels == from->channels ? value[c] : sum / from->channels;
                to[((int64_t)c * height + h) * width + w] = (float)(v / 255);
            }
        }
    }
}

static convoy_status read_sample(const struct dataset *set, int64_t i, float *pixels, int32_t *label, struct convoy_error *err)
{
    const struct folder *folder = set->own;
    struct picture picture;
    const convoy_status status = picture_read(folder->file[i].path, &picture, err);
    if (status)
        return status;
    scale_into(&picture, set->c, set->h, set->w, pixels);
    picture_free(&picture);
    *label = folder->file[i].label;
    return CONVOY_OK;
}

convoy_status folder_open(const char *root, enum dataset_part part, int32_t c, int32_t h, int32_t w, struct dataset *set,
                          struct convoy_error *err)
{
    static const char *const names[][2] = {[DATASET_TRAIN] = {"train", "train"}, [DATASET_TEST] = {"test", "val"}};
    char path[4096] = "";
    int found = 0;
    while (found < 2 && (snprintf(path, sizeof path, "%s/%s", root, names[part][found]) >= (int)sizeof path || !is_folder(path)))
        found++;
    if (found == 2)
        return convoy_fail(err, CONVOY_UNSUPPORTED, CONVOY_WHY_OTHER, "%s: no folder %s", root, names[part][0]);
    struct folder *folder = calloc(1, sizeof *folder);
    if (!folder)
        return convoy_fail(err, CONVOY_NO_MEMORY, CONVOY_WHY_MEMORY, "%s: no memory", root);
    convoy_status status = list_classes(folder, path, err);
    struct picture first = {0};
    if (!status)
        status = picture_read(folder->file[0].path, &first, err);
    if (status) {
        free_folder(folder);
        return status;
    }
    *set = (struct dataset){
        .count = folder->files,
        .c = c ? c : first.channels,
        .h = h ? h : first.h,
        .w = w ? w : first.w,
        .classes = folder->classes,
        .read = read_sample,
        .close = close_set,
        .class_name = class_name,
        .own = folder,
    };
    picture_free(&first);
    snprintf(set->name, sizeof set->name, "%.63s", root);
    return CONVOY_OK;
}
