# What the GPU backends share: the planner, and the kernel texts. A backend has in its own module.mk, after its plugin's line:
#     include kernels/gpu/module.mk
#     $(eval $(call use_gpu,NAME))
#     $(eval $(call test_backend,NAME))
# Folders earlier in the alphabet are read first, so this file can be read more than once and takes effect the first time.
ifndef GPU_OBJ
GPU_OBJ := $(addprefix $(B)/kernels/gpu/,modules.o backend.o device.o pace.o program.o plan.o conv.o conv_tiles.o conv_panels.o conv_direct.o conv_winograd.o \
    pool.o bn.o eltwise.o hazards.o folder.o choices.o tuning.o tuner.o)
$(GPU_OBJ): PRIVATE_CPP = -Iharness/include -D_POSIX_C_SOURCE=200809L
$(GPU_OBJ): PRIVATE_OPT = -O2

# Modules by id, and of each its text and its options, out of modules.def.
GPU_MODULES := $(shell sed -n 's/^GPU_MODULE.\([A-Z0-9_]*\),.*/\1/p' kernels/gpu/modules.def)
gpu_text = $(shell sed -n 's/^GPU_MODULE.$(1), *\([a-z0-9_]*\),.*/\1/p' kernels/gpu/modules.def)
gpu_options = $(shell sed -n 's/^GPU_MODULE.$(1), *[a-z0-9_]*, *"\([^"]*\)".*/\1/p' kernels/gpu/modules.def)
# The texts of a module in order, after the prelude of the language: what pools and Winograd share comes before their own.
gpu_parts = $(addprefix kernels/gpu/,params.h text/math.kernel $(if $(filter pool%,$(1)),text/pool_shape.kernel) \
    $(if $(filter winograd%,$(1)),text/winograd_matrices.kernel) text/$(1).kernel)

define use_gpu
CPP_$(1) += -Ikernels/gpu
OBJ_$(1) += $$(GPU_OBJ)
$$(B)/plugins/convoy_$(1).so: $$(GPU_OBJ)
endef

# tests/test_NAME.c of a backend with what both are tested for (tests/backend.h).
define test_backend
TESTS += $$(B)/tests/test_$(1)
$$(B)/kernels/$(1)/tests/test_$(1).o: PRIVATE_CPP = -Iharness/include -Ikernels/gpu/tests -D_GNU_SOURCE -DBUILD_DIR='"$$(abspath $$(B))"'
$$(B)/tests/test_$(1): $$(B)/kernels/$(1)/tests/test_$(1).o $$(B)/kernels/gpu/tests/backend.o | $$(B)/plugins/convoy_$(1).so
	@mkdir -p $$(@D)
	$$(Q)echo "  LINK    $$@"
	$$(Q)$$(CC) $$(SANFLAGS) -o $$@ $$^ $$(LDFLAGS) -lcmocka -ldl
endef

GPU_TESTS := $(B)/tests/test_gpu $(B)/tests/test_tuning
TESTS += $(GPU_TESTS)
$(B)/kernels/gpu/tests/backend.o: PRIVATE_CPP = -Iharness/include -D_GNU_SOURCE
$(B)/kernels/gpu/tests/test_%.o: PRIVATE_CPP = -Iharness/include -Ikernels/gpu -D_GNU_SOURCE
$(GPU_TESTS): $(B)/tests/test_%: $(B)/kernels/gpu/tests/test_%.o $(GPU_OBJ)
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) -lcmocka -lm -lpthread
endif
