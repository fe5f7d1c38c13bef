/* backend.h: what the tests of both backends do alike, through a plugin table on whatever device there is. Knows no API. */
#ifndef CONVOY_GPU_TESTS_BACKEND_H
#define CONVOY_GPU_TESTS_BACKEND_H

#include <convoy/devices.h>
#include <convoy/plugin.h>
#include <convoy/profile.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct convoy_plugin *plugin;
extern const struct convoy_host host;

/* Loads the plugin's table; false: it cannot be loaded, which is printed. */
bool backend_load(const char *path);
/* Skips the test where there is no device. */
struct convoy_instance *open_variant(const char *variant);
struct convoy_tensor tensor_of(struct convoy_memory *memory, const float *data, size_t count);

/* One 3x3 layer, its problem, and a chain of such layers. */
extern const struct convoy_conv layer;
enum { EXTENT = 12, CHANNELS = 16, IMAGES = 2, COUNT = IMAGES * CHANNELS * EXTENT * EXTENT, WEIGHTS = CHANNELS * CHANNELS * 9 };
/* Layers back and forth between two tensors, nothing awaited between; downloads the last. `profile` and `algorithm` may be NULL.
 */
void run_chain(const char *variant, float out[COUNT], struct convoy_profile *profile, char algorithm[40]);
/* The variants give the same bits with a variable set. Every device is opened anew after the last instance is closed, so it sees
 * the variables that are set then. */
void compare_runs(const char *variable, const char *value, bool winograd_too);

/* Tests for the backends' lists. */
void test_out_of_memory(void **state);
void test_reuse(void **state);
void test_profile(void **state);
void test_slices(void **state);
void test_little_workspace(void **state);
void test_parts_of_launches(void **state);
void test_device_choice(void **state);
#define BACKEND_TESTS                                                                                                            \
    cmocka_unit_test(test_device_choice), cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_reuse),                    \
        cmocka_unit_test(test_profile), cmocka_unit_test(test_slices), cmocka_unit_test(test_little_workspace),                  \
        cmocka_unit_test(test_parts_of_launches)

#endif
