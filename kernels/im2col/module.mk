# blas.c needs OpenBLAS's <cblas.h> to compile and opens the library itself (README.md says why), so it is not linked.
ifeq ($(call have,openblas),yes)
$(eval $(call plugin,im2col,plugin.c blas.c loops.c loops_avx2.c loops_avx512.c lower.c tiling.c conv.c conv_fwd.c conv_bwd_data.c conv_bwd_weights.c conv_dense.c pool.c pool_fwd.c \
    pool_bwd.c pool_stage.c pool_portable.c pool_avx2.c pool_avx512.c bn.c bn_portable.c bn_avx2.c bn_avx512.c eltwise.c eltwise_portable.c \
    eltwise_avx2.c eltwise_avx512.c xent.c,,-ldl -lpthread))
CPP_im2col += $(shell pkg-config --cflags openblas)
else
SKIPPED += im2col:needs:openblas
endif
