WINOGRAD_SRC := plugin.c route.c plan.c fold.c tiling.c points.c weights.c stages.c tuple_gemm.c conv.c conv_bwd_weights.c stem.c conv_stem.c filter_select.c filter_portable.c \
    transform_select.c transform_portable.c \
    $(if $(filter x86_64,$(shell uname -m)),transform_avx2.c transform_avx512.c stem_avx512.c fold_avx512.c filter_avx2.c filter_avx512.c tuple_tile_avx512.c)
$(eval $(call plugin,winograd,$(WINOGRAD_SRC),,))
CPP_winograd += -I$(B)/kernels/winograd
include kernels/microkernel/module.mk
$(eval $(call use_microkernel,winograd))

# The straight-line transforms are written by a program that is built first.
$(B)/tools/winograd_transforms: kernels/winograd/gen_transforms.c kernels/winograd/points.c kernels/winograd/points.h $(B)/flags.stamp
	@mkdir -p $(@D)
	$(Q)echo "  TOOL    $@"
	$(Q)$(compile) -MF $@.d -o $@ kernels/winograd/gen_transforms.c kernels/winograd/points.c $(LDFLAGS) -lm
$(B)/kernels/winograd/transforms.h: $(B)/tools/winograd_transforms
	@mkdir -p $(@D)
	$(Q)echo "  GEN     $@"
	$(Q)$< > $@
$(B)/kernels/winograd/transform_portable.o $(B)/kernels/winograd/transform_avx2.o $(B)/kernels/winograd/transform_avx512.o \
    $(B)/kernels/winograd/stem_avx512.o: \
    $(B)/kernels/winograd/transforms.h

TESTS += $(B)/tests/test_points
$(B)/tests/test_points: kernels/winograd/tests/test_points.c $(B)/kernels/winograd/points.o $(B)/flags.stamp
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(compile) -Ikernels/winograd -MF $@.d -o $@ kernels/winograd/tests/test_points.c $(B)/kernels/winograd/points.o $(LDFLAGS) -lcmocka
