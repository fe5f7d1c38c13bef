include kernels/microkernel/module.mk
DIRECT_SRC := plugin.c dims.c panel.c tiles.c correlate_plan.c correlate.c batch.c narrow.c plane.c pointwise.c overlap.c gradient.c \
    pointwise_gradient.c narrow_gradient.c bias_gradient.c isa.c isa_portable.c $(if $(filter x86_64,$(shell uname -m)),isa_avx512.c plane_avx512.c isa_avx2.c)
$(eval $(call plugin,direct,$(DIRECT_SRC),,))
$(eval $(call use_microkernel,direct))
