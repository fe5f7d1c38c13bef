# The reference networks: their graphs (nets) and the generator of the layer tables; what runs and trains them (layers, runtime, data,
# formats, train), the program convoy-train; tests.
NETS_CPP := -Ireference-nets -Iharness -Iharness/include -D_GNU_SOURCE
NETS_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out %/tables.c,$(wildcard reference-nets/nets/*.c)))
TRAIN_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out %/train.c,$(foreach d,layers runtime data formats train,$(wildcard reference-nets/$(d)/*.c))))
TRAIN_PACKAGES := libpng libjpeg zlib jansson
have_train := $(call have,$(TRAIN_PACKAGES))
TRAIN_LIBS := $(if $(have_train),$(shell pkg-config --libs $(TRAIN_PACKAGES)))

# Data parallel training where OpenMPI is: the one file that includes <mpi.h>.
have_mpi := $(call have,ompi-c)
MPI_CFLAGS := $(if $(have_mpi),-DHAVE_MPI $(shell pkg-config --cflags ompi-c))
TRAIN_LIBS += $(if $(have_mpi),$(shell pkg-config --libs ompi-c))

$(B)/reference-nets/%.o: reference-nets/%.c $(B)/flags.stamp
	@mkdir -p $(@D)
	$(Q)echo "  CC      $<"
	$(Q)$(compile) $(NETS_CPP) $(PRIVATE_CPP) $(CPPFLAGS) -c -o $@ $<
# Loops over parameters and activations are worth vectors.
$(B)/reference-nets/runtime/%.o $(B)/reference-nets/layers/%.o: PRIVATE_CPP = -O3

# Not installed: it makes what is committed in harness/tables.
$(B)/tools/convoy-tables: $(B)/reference-nets/nets/tables.o $(NETS_OBJ) $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) $(HARNESS_LIBS)

## tables: write the layer tables of the reference networks to harness/tables
tables: $(B)/tools/convoy-tables
	$(Q)$< --write harness/tables
.PHONY: tables

ifeq ($(have_train),yes)
PROGRAMS += $(B)/bin/convoy-train
NETS_TESTS := $(patsubst reference-nets/tests/%.c,$(B)/tests/%,$(wildcard reference-nets/tests/test_*.c))
else
SKIPPED += convoy-train:needs:$(subst $() ,+,$(TRAIN_PACKAGES))
NETS_TESTS := $(B)/tests/test_nets
endif
$(B)/reference-nets/train/ranks.o: PRIVATE_CPP = $(MPI_CFLAGS)
$(B)/bin/convoy-train: $(B)/reference-nets/train/train.o $(TRAIN_OBJ) $(NETS_OBJ) $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -rdynamic -o $@ $^ $(LDFLAGS) $(HARNESS_LIBS) $(TRAIN_LIBS)

TESTS += $(NETS_TESTS)
$(NETS_TESTS): $(B)/tests/%: $(B)/reference-nets/tests/%.o $(if $(have_train),$(TRAIN_OBJ)) $(NETS_OBJ) $(B)/libconvoy.a | $(B)/tools/convoy-tables
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) $(HARNESS_LIBS) $(TRAIN_LIBS) -lcmocka
$(B)/reference-nets/tests/%.o: PRIVATE_CPP = -DBUILD_DIR='"$(abspath $(B))"' -DSOURCE_DIR='"$(CURDIR)"'

## check-gradients: every family of networks with every backend, tensor by tensor (6 minutes)
check-gradients: $(if $(have_train),$(B)/tests/test_gradients plugins)
	$(Q)$(if $(have_train),CONVOY_GRADIENTS=each $<,echo "check-gradients needs $(TRAIN_PACKAGES)"; exit 77)
.PHONY: check-gradients
