#include "bench/probe_loop.h"

#if defined(__x86_64__)

/* Sixteen chains cover two units of four cycles' latency twice. Assembly, so that neither -O0 nor a sanitizer puts a load or a
 * store between the multiply-adds: zmm_i = zmm_i * 0.5 + 0.5. */
double probe_loop_avx512(int64_t turns)
{
    const float half = 0.5f;
    const double operations = (double)turns * 16 * 16 * 2;
    __asm__ volatile(
        "vbroadcastss %[half], %%zmm16\n\t"
        "vmovaps %%zmm16, %%zmm0\n\tvmovaps %%zmm16, %%zmm1\n\tvmovaps %%zmm16, %%zmm2\n\tvmovaps %%zmm16, %%zmm3\n\t"
        "vmovaps %%zmm16, %%zmm4\n\tvmovaps %%zmm16, %%zmm5\n\tvmovaps %%zmm16, %%zmm6\n\tvmovaps %%zmm16, %%zmm7\n\t"
        "vmovaps %%zmm16, %%zmm8\n\tvmovaps %%zmm16, %%zmm9\n\tvmovaps %%zmm16, %%zmm10\n\tvmovaps %%zmm16, %%zmm11\n\t"
        "vmovaps %%zmm16, %%zmm12\n\tvmovaps %%zmm16, %%zmm13\n\tvmovaps %%zmm16, %%zmm14\n\tvmovaps %%zmm16, %%zmm15\n\t"
        ".p2align 5\n"
        "1:\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm0\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm1\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm2\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm3\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm4\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm5\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm6\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm7\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm8\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm9\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm10\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm11\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm12\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm13\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm14\n\t"
        "vfmadd213ps %%zmm16, %%zmm16, %%zmm15\n\t"
        "dec %[turns]\n\t"
        "jnz 1b\n\t"
        "vzeroupper"
        : [turns] "+r"(turns)
        : [half] "m"(half)
        : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
          "xmm13", "xmm14", "xmm15", "xmm16");
    return operations;
}

#endif
