# The reference networks: their graphs (nets), what runs them (layers, runtime), data, files, the program convoy-train, the
# generator of the layer tables, and tests.
NETS_CPP := -Ireference-nets -Iharness -Iharness/include -D_GNU_SOURCE
NETS_PROGRAMS := reference-nets/nets/tables.c reference-nets/train/train.c
NETS_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out $(NETS_PROGRAMS),$(wildcard reference-nets/*/*.c)))
NETS_OBJ := $(filter-out $(B)/reference-nets/tests/%,$(NETS_OBJ))

$(B)/reference-nets/%.o: reference-nets/%.c $(B)/flags.stamp
	@mkdir -p $(@D)
	$(Q)echo "  CC      $<"
	$(Q)$(compile) $(NETS_CPP) $(PRIVATE_CPP) $(CPPFLAGS) -c -o $@ $<

# Not installed: it makes what is committed in harness/tables.
$(B)/tools/convoy-tables: $(B)/reference-nets/nets/tables.o $(NETS_OBJ) $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) $(HARNESS_LIBS)

## tables: write the layer tables of the reference networks to harness/tables
tables: $(B)/tools/convoy-tables
	$(Q)$< --write harness/tables
.PHONY: tables

NETS_TESTS := $(patsubst reference-nets/tests/%.c,$(B)/tests/%,$(wildcard reference-nets/tests/test_*.c))
TESTS += $(NETS_TESTS)
$(NETS_TESTS): $(B)/tests/%: $(B)/reference-nets/tests/%.o $(NETS_OBJ) $(B)/libconvoy.a | $(B)/tools/convoy-tables
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ $(LDFLAGS) $(HARNESS_LIBS) -lcmocka
$(B)/reference-nets/tests/%.o: PRIVATE_CPP = -DBUILD_DIR='"$(abspath $(B))"' -DSOURCE_DIR='"$(CURDIR)"'
