# The register-tile family. A plugin that uses it has in its own module.mk, after the plugin's line:
#     include kernels/microkernel/module.mk
#     $(eval $(call use_microkernel,NAME))
# Folders earlier in the alphabet are read first, so this file can be read more than once and takes effect the first time.
ifndef MICROKERNEL_OBJ
MICROKERNEL_X86 := $(filter x86_64,$(shell uname -m))
MICROKERNEL_OBJ := $(addprefix $(B)/kernels/microkernel/,select.o tiles_portable.o $(if $(MICROKERNEL_X86),tiles_avx512.o tiles_avx2.o))
$(MICROKERNEL_OBJ): PRIVATE_OPT = -O3 -ffp-contract=fast

define use_microkernel
CPP_$(1) += -Ikernels/microkernel
OBJ_$(1) += $$(MICROKERNEL_OBJ)
$$(B)/plugins/convoy_$(1).so: $$(MICROKERNEL_OBJ)
endef

MICROKERNEL_BENCH_OBJ := $(addprefix $(B)/kernels/microkernel/bench/,bench.o peak_portable.o $(if $(MICROKERNEL_X86),peak_avx512.o peak_avx2.o))
$(MICROKERNEL_BENCH_OBJ): PRIVATE_OPT = -O3 -ffp-contract=fast
$(MICROKERNEL_BENCH_OBJ): PRIVATE_CPP = -Ikernels/microkernel -D_POSIX_C_SOURCE=200809L
$(B)/tools/microkernel-bench: $(MICROKERNEL_BENCH_OBJ) $(MICROKERNEL_OBJ)
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS)

TESTS += $(B)/tests/test_microkernel
$(B)/kernels/microkernel/tests/test_microkernel.o: PRIVATE_CPP = -Ikernels/microkernel -D_GNU_SOURCE
$(B)/tests/test_microkernel: $(B)/kernels/microkernel/tests/test_microkernel.o $(MICROKERNEL_OBJ)
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) -lcmocka -lm
endif
