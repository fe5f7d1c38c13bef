# blas.c needs OpenBLAS's <cblas.h> to compile and opens the library itself (README.md says why), so it is not linked.
include kernels/microkernel/module.mk
ifeq ($(call have,openblas),yes)
$(eval $(call plugin,im2col,plugin.c blas.c loops.c loops_avx2.c loops_avx512.c lower.c tiling.c conv.c conv_fwd.c conv_bwd_data.c conv_bwd_weights.c conv_dense.c pool.c pool_fwd.c \
    pool_bwd.c pool_stage.c pool_portable.c pool_avx2.c pool_avx512.c pool_fwd_avx512.c bn.c bn_portable.c bn_avx2.c bn_avx512.c eltwise.c eltwise_portable.c \
    eltwise_avx2.c eltwise_avx512.c xent.c implicit.c implicit_correlate.c implicit_gradient.c view.c turn_portable.c \
    $(if $(filter x86_64,$(shell uname -m)),turn_avx2.c turn_avx512.c),,-ldl -lpthread))
CPP_im2col += $(shell pkg-config --cflags openblas)
$(eval $(call use_microkernel,im2col))
else
SKIPPED += im2col:needs:openblas
endif
