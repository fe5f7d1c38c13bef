#version 450
#extension GL_EXT_control_flow_attributes : require
/* The dialect of the kernel texts as GLSL. A text is
 *     #define PARAMS gpu_...      CONSTANT(2, NAME) ...      KERNEL  READ(0, type, name) ... WRITE(n, type, name)
 *     BODY | BODY_WITH(LOCAL(type, name, size) ...)      statements  END
 * and reaches element i of buffer number b by AT(name, b, i). */
#define float4 vec4
#define F4(a, b, c, d) vec4(a, b, c, d)
#define VEC vec4
#define WIDTH 4
#define SPLAT(v) vec4(v)
#define COMPONENT(v, i) v[i]
#define TO_INT(v) int(v)
#define TO_UINT(v) uint(v)
#define TO_FLOAT(v) float(v)
#define BITS(v) floatBitsToUint(v)
#define FROM_BITS(v) uintBitsToFloat(v)
#define NEAREST(v) roundEven(v)
#define FMA(a, b, c) fma(a, b, c)
#define ABS(v) abs(v)
/* What compilers may not reassociate: sums and products only, as fma() has no such decoration. */
#define PRECISE precise
#define UNROLL [[unroll]]
#define TABLE(name, count) const float name[count]
uint high_product(uint a, uint b)
{
    uint high, low;
    umulExtended(a, b, high, low);
    return high;
}

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int GROUP = 1;
#define CONSTANT(id, name) layout(constant_id = id) const int name = 1;
#define LANE int(gl_LocalInvocationID.x)
/* A long launch comes in parts, each with the number of its first work-group. */
#define GROUP_ID (group_first + int(gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x))
#define SYNC barrier();
#define KERNEL                                           \
    layout(push_constant) uniform base_block { int base[8]; int group_first; }; \
    layout(std140, binding = 8) uniform params_block { PARAMS p; };
#define READ(b, type, name) layout(std430, binding = b) readonly buffer block_##name { type name[]; };
#define WRITE(b, type, name) layout(std430, binding = b) buffer block_##name { type name[]; };
#define LOCAL(type, name, size) shared type name[size];
#define BODY_WITH(locals) locals void main() {
#define BODY void main() {
#define END }
#define AT(name, b, i) name[base[b] + (i)]
#define AT4(name, b, i) name[base[b] / 4 + (i)]
#define ATV(name, b, i) name[base[b] / WIDTH + (i)]
