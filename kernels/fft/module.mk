# Needs FFTW in single precision; only fftw.c uses it.
$(eval $(call plugin,fft,plugin.c geometry.c spectra.c data_pass.c gradient_pass.c codelets.c codelets_avx512.c codelets_avx2.c \
    codelets_portable.c complex_tile.c complex_avx512.c complex_avx2.c complex_portable.c fftw.c,fftw3f,-lpthread))
include kernels/microkernel/module.mk
$(eval $(call use_microkernel,fft))

ifeq ($(have_fft),yes)
TESTS += $(B)/tests/test_wisdom
$(B)/kernels/fft/tests/test_wisdom.o: PRIVATE_CPP = -Iharness/include -Ikernels/fft -D_GNU_SOURCE
$(B)/tests/test_wisdom: $(B)/kernels/fft/tests/test_wisdom.o $(B)/kernels/fft/fftw.o
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) $(shell pkg-config --libs fftw3f) -lcmocka -lpthread -lm
endif
