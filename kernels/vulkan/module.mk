# Needs Vulkan's headers and glslc to build; the loader and a driver are found at run time. spirv-val checks the kernels where it is.
GLSLC := $(shell command -v glslc)
SPIRV_VAL := $(shell command -v spirv-val)
VULKAN_PROBE := \#include <vulkan/vulkan.h>\nint main(void) { return VK_HEADER_VERSION < 0; }\n
VULKAN_FOUND := $(if $(GLSLC),$(shell printf '%b' '$(VULKAN_PROBE)' | $(CC) -x c - -fsyntax-only 2>/dev/null && echo yes))
ifeq ($(VULKAN_FOUND),yes)
$(eval $(call plugin,vulkan,plugin.c api.c device.c memory.c queue.c pipelines.c spirv.c,,-ldl -lpthread))
include kernels/gpu/module.mk
$(eval $(call use_gpu,vulkan))
CPP_vulkan += -I$(B)/kernels/vulkan -D_POSIX_C_SOURCE=200809L
OPT_vulkan := -O2

VULKAN_SPIRV := $(GPU_MODULES:%=$(B)/kernels/vulkan/%.spirv)
# One module: prelude and parts make a shader, glslc makes words of it; binary for spirv-val, text for the plugin.
define vulkan_module
$(B)/kernels/vulkan/$(1).spirv: kernels/gpu/text/prelude.glsl $(call gpu_parts,$(call gpu_text,$(1))) kernels/gpu/modules.def kernels/vulkan/module.mk
	@mkdir -p $$(@D)
	$$(Q)echo "  GLSLC   $(1)"
	$$(Q)cat $$(filter-out %.def %.mk,$$^) > $$(@:.spirv=.comp)
	$$(Q)$(GLSLC) -O --target-env=vulkan1.2 -fshader-stage=comp $(call gpu_options,$(1)) -o $$(@:.spirv=.spv) $$(@:.spirv=.comp)
	$$(Q)$(if $(SPIRV_VAL),$(SPIRV_VAL) --target-env vulkan1.2 $$(@:.spirv=.spv))
	$$(Q)$(GLSLC) -O --target-env=vulkan1.2 -fshader-stage=comp $(call gpu_options,$(1)) -mfmt=c -o $$@ $$(@:.spirv=.comp)
endef
$(foreach module,$(GPU_MODULES),$(eval $(call vulkan_module,$(module))))
$(B)/kernels/vulkan/spirv_arrays.h: $(VULKAN_SPIRV)
	$(Q)for file in $^; do id=$${file##*/}; printf 'SPIRV_ARRAY(%s, ' "$${id%.spirv}"; cat "$$file"; printf ')\n'; done > $@
$(B)/kernels/vulkan/spirv.o: $(B)/kernels/vulkan/spirv_arrays.h

$(eval $(call test_backend,vulkan))
else
SKIPPED += vulkan:needs:libvulkan-dev+glslc
endif
