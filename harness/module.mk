# The harness: libconvoy.a (core, verify, bench, report), the program convoy, and its tests.
HARNESS_CPP := -Iharness -Iharness/include -D_GNU_SOURCE -DCONVOY_PLUGINDIR='"$(plugindir)"' -DCONVOY_SHAREDIR='"$(sharedir)"' -DCONVOY_VERSION='"$(VERSION)"'
HARNESS_SRC := $(wildcard harness/core/*.c harness/verify/*.c harness/bench/*.c harness/report/*.c harness/select/*.c)
HARNESS_OBJ := $(HARNESS_SRC:%.c=$(B)/%.o)
CLI_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard harness/cli/*.c))
HARNESS_LIBS := -lcsv -lpthreadpool -lpthread -ldl -lm

PROGRAMS += $(B)/bin/convoy

# git's state goes into one object only, rebuilt when the state changes.
$(B)/revision.h: FORCE
	@mkdir -p $(@D)
	@echo "#define CONVOY_REVISION \"$$(git describe --always --dirty --abbrev=10 2>/dev/null || echo unversioned)\"" | cmp -s - $@ || \
	 echo "#define CONVOY_REVISION \"$$(git describe --always --dirty --abbrev=10 2>/dev/null || echo unversioned)\"" > $@
$(B)/harness/core/machine.o: $(B)/revision.h
$(B)/harness/core/machine.o: PRIVATE_CPP = -I$(B)

$(B)/harness/%.o: harness/%.c $(B)/flags.stamp $(B)/paths.stamp
	@mkdir -p $(@D)
	$(Q)echo "  CC      $<"
	$(Q)$(compile) $(call isa_flags,$@) $(HARNESS_CPP) $(PRIVATE_CPP) $(CPPFLAGS) -c -o $@ $<

$(B)/libconvoy.a: $(HARNESS_OBJ)
	$(Q)echo "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $(HARNESS_OBJ)

$(B)/bin/convoy: $(CLI_OBJ) $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -rdynamic -o $@ $(CLI_OBJ) $(B)/libconvoy.a $(LDFLAGS) $(HARNESS_LIBS)

# One cmocka program per module.
HARNESS_TESTS := $(patsubst harness/tests/%.c,$(B)/tests/%,$(wildcard harness/tests/test_*.c))
TESTS += $(HARNESS_TESTS)
$(HARNESS_TESTS): $(B)/tests/%: $(B)/harness/tests/%.o $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $< $(B)/libconvoy.a $(LDFLAGS) $(HARNESS_LIBS) -lcmocka
$(B)/harness/tests/%.o: PRIVATE_CPP = -DBUILD_DIR='"$(abspath $(B))"' -DSOURCE_DIR='"$(CURDIR)"'

# Fuzz targets: FUZZ_TARGETS over the corpus as tests (replay), and with libFuzzer by `make fuzz`.
FUZZ_NAMES := $(patsubst harness/tests/fuzz/fuzz_%.c,%,$(wildcard harness/tests/fuzz/fuzz_*.c))
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(B)/tests/replay_%)
FUZZERS := $(FUZZ_NAMES:%=$(B)/fuzz/fuzz_%)
$(FUZZ_REPLAYS): $(B)/tests/replay_%: $(B)/harness/tests/fuzz/fuzz_%.o $(B)/harness/tests/fuzz/target.o $(B)/harness/tests/fuzz/replay.o $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -o $@ $(filter %.o,$^) $(B)/libconvoy.a $(LDFLAGS) $(HARNESS_LIBS)
$(FUZZERS): $(B)/fuzz/fuzz_%: $(B)/harness/tests/fuzz/fuzz_%.o $(B)/harness/tests/fuzz/target.o $(B)/libconvoy.a
	@mkdir -p $(@D)
	$(Q)echo "  LINK    $@"
	$(Q)$(CC) $(SANFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(B)/libconvoy.a $(LDFLAGS) $(HARNESS_LIBS)

# Misbehaving plugins and mutants: whole plugins that see the ABI only. A file may set its own link flags in its first line: "link: ...".
TEST_PLUGINS += $(patsubst harness/tests/plugins/%.c,$(B)/tests/plugins/convoy_%.so,$(wildcard harness/tests/plugins/*.c))
$(B)/tests/plugins/convoy_%.so: harness/tests/plugins/%.c $(B)/flags.stamp
	@mkdir -p $(@D)
	$(Q)echo "  PLUGIN  $@"
	$(Q)$(compile) -shared -fvisibility=hidden -Iharness/include -MF $(@:.so=.d) -o $@ $< $(LDFLAGS) -lm -lpthread $$(sed -n '1s|.*link: *\([^*]*\).*|\1|p' $<)

# The reference with one known bug: a plugin of several files.
TEST_PLUGINS += $(B)/tests/plugins/convoy_mutant.so
$(B)/tests/plugins/convoy_mutant.so: $(patsubst %.c,$(B)/%.o,$(wildcard harness/tests/mutants/*.c)) harness/plugin.map
	@mkdir -p $(@D)
	$(Q)echo "  PLUGIN  $@"
	$(Q)$(CC) -shared $(SANFLAGS) -Wl,--version-script=harness/plugin.map -o $@ $(filter %.o,$^) $(LDFLAGS) -lm -ldl

.SECONDARY:
