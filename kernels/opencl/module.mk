# Needs OpenCL's headers to build; the loader and a driver are found at run time, and the driver compiles the kernels.
OPENCL_PROBE := \#include <CL/cl.h>\nint main(void) { return CL_DEVICE_TYPE_CPU == 0; }\n
OPENCL_FOUND := $(shell printf '%b' '$(OPENCL_PROBE)' | $(CC) -x c - -DCL_TARGET_OPENCL_VERSION=120 -fsyntax-only 2>/dev/null && echo yes)
ifeq ($(OPENCL_FOUND),yes)
$(eval $(call plugin,opencl,plugin.c api.c choice.c device.c memory.c queue.c programs.c cache.c texts.c,,-ldl -lpthread))
include kernels/gpu/module.mk
$(eval $(call use_gpu,opencl))
CPP_opencl += -I$(B)/kernels/opencl -D_POSIX_C_SOURCE=200809L
OPT_opencl := -O2

# One module: prelude and parts, a string per line.
define opencl_module
$(B)/kernels/opencl/$(1).text: kernels/gpu/text/prelude.cl $(call gpu_parts,$(call gpu_text,$(1))) kernels/gpu/modules.def kernels/opencl/module.mk
	@mkdir -p $$(@D)
	$$(Q)(echo 'TEXT($(1),'; cat $$(filter-out %.def %.mk,$$^) | sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n",/'; echo ')') > $$@
endef
$(foreach module,$(GPU_MODULES),$(eval $(call opencl_module,$(module))))
$(B)/kernels/opencl/text_arrays.h: $(GPU_MODULES:%=$(B)/kernels/opencl/%.text)
	$(Q)cat $^ > $@
$(B)/kernels/opencl/texts.o: $(B)/kernels/opencl/text_arrays.h

$(eval $(call test_backend,opencl))
else
SKIPPED += opencl:needs:opencl-headers
endif
