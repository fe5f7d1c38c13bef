#include "core/fpenv.h"

#if defined(__SSE__)

/* Bits 0..5 of MXCSR are sticky status flags; DAZ, the exception masks, rounding and FTZ lie above (Intel SDM vol. 1, 10.2.3).
 * The x87 control word has modes only (8.1.5). */
enum { MXCSR_STATUS = 0x3f };

uint64_t fpenv_get(void)
{
    uint16_t x87;
    __asm__ __volatile__("fnstcw %0" : "=m"(x87));
    return (uint64_t)x87 << 32 | (__builtin_ia32_stmxcsr() & ~(unsigned)MXCSR_STATUS);
}

void fpenv_set(uint64_t modes)
{
    const uint16_t x87 = (uint16_t)(modes >> 32);
    __asm__ __volatile__("fldcw %0" : : "m"(x87));
    __builtin_ia32_ldmxcsr((unsigned)modes | (__builtin_ia32_stmxcsr() & (unsigned)MXCSR_STATUS));
}

#elif defined(__aarch64__)

/* FPCR holds the modes, FPSR the flags. */
uint64_t fpenv_get(void)
{
    uint64_t modes;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(modes));
    return modes;
}

void fpenv_set(uint64_t modes)
{
    __asm__ __volatile__("msr fpcr, %0" : : "r"(modes));
}

#else

#include <fenv.h>

/* All that standard C lets us compare is the rounding direction. */
uint64_t fpenv_get(void)
{
    return (uint64_t)fegetround();
}

void fpenv_set(uint64_t modes)
{
    fesetround((int)modes);
}

#endif
