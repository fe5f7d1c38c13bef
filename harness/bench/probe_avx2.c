#include "bench/probe_loop.h"

#if defined(__x86_64__)

/* Fourteen chains of the sixteen registers; two units of five cycles' latency need ten. Assembly, so that neither -O0 nor a
 * sanitizer puts a load or a store between the multiply-adds: ymm_i = ymm_i * 0.5 + 0.5. */
double probe_loop_avx2(int64_t turns)
{
    const float half = 0.5f;
    const double operations = (double)turns * 14 * 8 * 2;
    __asm__ volatile(
        "vbroadcastss %[half], %%ymm15\n\t"
        "vmovaps %%ymm15, %%ymm0\n\tvmovaps %%ymm15, %%ymm1\n\tvmovaps %%ymm15, %%ymm2\n\tvmovaps %%ymm15, %%ymm3\n\t"
        "vmovaps %%ymm15, %%ymm4\n\tvmovaps %%ymm15, %%ymm5\n\tvmovaps %%ymm15, %%ymm6\n\tvmovaps %%ymm15, %%ymm7\n\t"
        "vmovaps %%ymm15, %%ymm8\n\tvmovaps %%ymm15, %%ymm9\n\tvmovaps %%ymm15, %%ymm10\n\tvmovaps %%ymm15, %%ymm11\n\t"
        "vmovaps %%ymm15, %%ymm12\n\tvmovaps %%ymm15, %%ymm13\n\t"
        ".p2align 5\n"
        "1:\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm0\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm1\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm2\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm3\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm4\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm5\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm6\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm7\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm8\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm9\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm10\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm11\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm12\n\t"
        "vfmadd213ps %%ymm15, %%ymm15, %%ymm13\n\t"
        "dec %[turns]\n\t"
        "jnz 1b\n\t"
        "vzeroupper"
        : [turns] "+r"(turns)
        : [half] "m"(half)
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
          "xmm13", "xmm14", "xmm15");
    return operations;
}

#endif
