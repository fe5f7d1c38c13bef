# Debian's libdnnl ships no .pc file, so a compile-and-link test looks for it: version 2 of the C API, and an OpenMP library.
ONEDNN_PROBE := \#include <oneapi/dnnl/dnnl.h>\n \
    _Static_assert(DNNL_VERSION_MAJOR == 2 && DNNL_VERSION_MINOR >= 4, "2.4");\n \
    void omp_set_num_threads(int);\n \
    int main(void) { omp_set_num_threads(1); return !dnnl_version(); }\n
ONEDNN_FOUND := $(shell printf '%b' '$(ONEDNN_PROBE)' | $(CC) -std=c11 -x c - -o /dev/null -ldnnl -lgomp 2>/dev/null && echo yes)
ifeq ($(ONEDNN_FOUND),yes)
$(eval $(call plugin,onednn,plugin.c library.c pipeline.c conv.c pool.c bn.c,,-ldnnl -lgomp -lpthread))
else
SKIPPED += onednn:needs:libdnnl-dev
endif
