/* library: oneDNN's process-wide state, its status words in this project's terms, and the OpenMP thread count. The only
 * file that includes oneDNN's header. Must not know problems or plans. */
#ifndef CONVOY_ONEDNN_LIBRARY_H
#define CONVOY_ONEDNN_LIBRARY_H

#include <convoy/plugin.h>
#include <oneapi/dnnl/dnnl.h>

/* Applies CONVOY_ISA (portable, avx2, avx512) before oneDNN generates any code; later calls do nothing. [any] */
void library_limit_isa(void);

/* Channels per block of the blocked activation layout that suits the instruction set: 16 or 8. [any] */
int library_block(void);

/* "unimplemented", "invalid arguments", ... [any] */
const char *library_status_name(dnnl_status_t status);

/* UNSUPPORTED where oneDNN declines, NO_MEMORY or FAILED otherwise; the text is "oneDNN says STATUS: what". [any] */
convoy_status library_fail(dnnl_status_t status, convoy_why why, const char *what, struct convoy_error *err);

/* Makes `threads` the size of the calling thread's OpenMP teams, and oneDNN counts on that both when it plans and when it
 * runs; returns the size to give back to library_leave_team. [any] */
int library_enter_team(uint32_t threads);
void library_leave_team(int before);

#endif
