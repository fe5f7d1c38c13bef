/* The dialect of the kernel texts (see prelude.glsl) as OpenCL C 1.2. Set by -D: GROUP, the module's constants, WIDTH
 * (the floats of a wide vector: 4, 8 or 16) and what the module's options say. Arguments: the buffers in
 * order, the parameters, the bases. */
#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define F4(a, b, c, d) ((float4)(a, b, c, d))
#define VEC JOIN(float, WIDTH)
#define SPLAT(v) ((VEC)(v))
#define COMPONENT(v, i) ((float *)&(v))[i]
#define TO_INT(v) ((int)(v))
#define TO_UINT(v) ((uint)(v))
#define TO_FLOAT(v) ((float)(v))
#define BITS(v) as_uint(v)
#define FROM_BITS(v) as_float(v)
#define NEAREST(v) rint(v)
#define FMA(a, b, c) fma(a, b, c)
#define ABS(v) fabs(v)
#define PRECISE
#define UNROLL _Pragma("unroll")
#define TABLE(name, count) __constant float name[count]
uint high_product(uint a, uint b);
uint high_product(uint a, uint b)
{
    return mul_hi(a, b);
}

struct gpu_bases {
    int base[8];
    int group_first; /* of this part of a launch */
};
#define CONSTANT(id, name)
#define LANE ((int)get_local_id(0))
#define GROUP_ID (bases.group_first + (int)(get_group_id(0) + get_group_id(1) * get_num_groups(0)))
#define SYNC barrier(CLK_LOCAL_MEM_FENCE);
#define KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void kernel_main(
#define READ(b, type, name) __global const type *name,
#define WRITE(b, type, name) __global type *name,
#define LOCAL(type, name, size) __local type name[size];
#define BODY_WITH(locals) const struct PARAMS p, const struct gpu_bases bases) { locals
#define BODY const struct PARAMS p, const struct gpu_bases bases) {
#define END }
#define AT(name, b, i) name[bases.base[b] + (i)]
#define AT4(name, b, i) name[bases.base[b] / 4 + (i)]
#define ATV(name, b, i) name[bases.base[b] / WIDTH + (i)]
