/* Changes the floating-point environment while it is loaded, as objects linked with -ffast-math by some compilers do. */
#include <convoy/convoy.h>
#include <fenv.h>

__attribute__((constructor)) static void spoil(void)
{
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8000u); /* flush results that are denormal to zero */
#else
    fesetround(FE_TOWARDZERO);
#endif
}

static convoy_status open_nothing(const struct convoy_host *host, const char *variant, struct convoy_instance **instance,
                                  struct convoy_error *err)
{
    (void)host, (void)variant, (void)instance, (void)err;
    return CONVOY_FAILED;
}

CONVOY_EXPORT const struct convoy_plugin convoy_plugin_v1 = {
    .struct_size = sizeof(struct convoy_plugin),
    .abi_minor = CONVOY_ABI_MINOR,
    .name = "fpenv_ctor",
    .version = "1",
    .author = "Convoy",
    .summary = "a plugin whose constructor flushes denormals",
    .threading = CONVOY_THREADS_HOST,
    .open = open_nothing,
};
