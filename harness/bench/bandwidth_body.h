/* bandwidth_body: the loops of bandwidth_loop.h for one width of vectors. Included once per instruction set by a file that defines
 * VECTOR, the letter of its registers, VECTOR_BYTES as the assembler's text, and LOOPS, the table to make. Assembly, so that neither
 * -O0 nor a sanitizer adds a load or a store; eight vectors a turn leave the loop's own instructions without weight. */
#include "bench/bandwidth_loop.h"

#define REGISTER(i) "%%" VECTOR "mm" #i
#define AT(i, address) #i "*" VECTOR_BYTES "(%[" address "])"
#define EIGHT(act) act(0) act(1) act(2) act(3) act(4) act(5) act(6) act(7)
#define LOAD(i) "vmovaps " AT(i, "from") ", " REGISTER(i) "\n\t"
#define STORE(i) "vmovaps " REGISTER(i) ", " AT(i, "to") "\n\t"
#define STREAM(i) "vmovntps " REGISTER(i) ", " AT(i, "to") "\n\t"
#define CLEAR(i) "vxorps %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"

/* `before`, then `turn` for every eight vectors, then `after`. */
#define LOOP(name, before, turn, after)                                                                                          \
    static void name(char *to, const char *from, size_t bytes)                                                                   \
    {                                                                                                                            \
        const char *const end = from + bytes;                                                                                    \
        __asm__ volatile(before ".p2align 5\n"                                                                                   \
                                "1:\n\t" turn "add $8*" VECTOR_BYTES ", %[from]\n\t"                                             \
                                "add $8*" VECTOR_BYTES ", %[to]\n\t"                                                             \
                                "cmp %[end], %[from]\n\t"                                                                        \
                                "jb 1b\n\t" after "vzeroupper"                                                                   \
                         : [from] "+r"(from), [to] "+r"(to)                                                                      \
                         : [end] "r"(end)                                                                                        \
                         : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");                      \
    }

LOOP(read_all, "", EIGHT(LOAD), "")
LOOP(write_all, EIGHT(CLEAR), EIGHT(STORE), "")
LOOP(write_streamed, EIGHT(CLEAR), EIGHT(STREAM), "sfence\n\t")
LOOP(copy_all, "", EIGHT(LOAD) EIGHT(STORE), "")
LOOP(copy_streamed, "", EIGHT(LOAD) EIGHT(STREAM), "sfence\n\t")

bandwidth_loop_fn *const LOOPS[BANDWIDTH_KINDS] = {
    [BANDWIDTH_READ] = read_all,
    [BANDWIDTH_WRITE] = write_all,
    [BANDWIDTH_WRITE_STREAM] = write_streamed,
    [BANDWIDTH_COPY] = copy_all,
    [BANDWIDTH_COPY_STREAM] = copy_streamed,
};
