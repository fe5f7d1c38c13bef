# Convoy: one makefile with rules; every folder brings a module.mk that is data. `make help` lists the targets.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
SHELL := /bin/bash

O ?= build
B := $(O)
Q := $(if $(V),,@)
PREFIX ?= /usr/local
bindir ?= $(PREFIX)/bin
libdir ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
datadir ?= $(PREFIX)/share
plugindir = $(libdir)/convoy/plugins
sharedir = $(datadir)/convoy
VERSION := 0.1.0
# Programs in an O= outside the tree find its tables too.
export CONVOY_TABLE_PATH ?= $(CURDIR)/harness/tables

CC ?= cc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla -Wundef
STD := -std=c11 $(WARN) $(if $(WERROR),-Werror) -MMD -MP -fPIC -fno-math-errno
ifdef DEBUG
override CFLAGS := -O0 -g3
endif
ifdef SAN
SANFLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
compile = $(CC) $(STD) $(CFLAGS) $(SANFLAGS)

# Which optional packages are here: pkg-config names, and libcsv, which ships no .pc file, by a link test.
have = $(shell pkg-config --exists $(1) 2>/dev/null && echo yes)

PLUGINS :=
SKIPPED :=
TESTS :=
TEST_PLUGINS :=

# $(call plugin,name,sources,pkg-config packages,extra libs)
# A folder kernels/<name> with one eval of this in its module.mk is a backend. Files named *_avx2.c and *_avx512.c get
# their own instruction set flags; OPT_<name> replaces the optimisation flags (kernels: -O3 and contraction to FMA).
define plugin
have_$(1) := $$(if $(strip $(3)),$$(call have,$(3)),yes)
ifeq ($$(have_$(1)),yes)
PLUGINS += $$(B)/plugins/convoy_$(1).so
OBJ_$(1) := $$(addprefix $$(B)/kernels/$(1)/,$$(patsubst %.c,%.o,$(2)))
CPP_$(1) := -Iharness/include $$(if $(strip $(3)),$$(shell pkg-config --cflags $(3)))
OPT_$(1) ?= $$(if $$(SAN),-O1,-O3) -ffp-contract=fast
$$(OBJ_$(1)): PRIVATE_CPP = $$(CPP_$(1))
$$(OBJ_$(1)): PRIVATE_OPT = $$(OPT_$(1))
$$(B)/plugins/convoy_$(1).so: $$(OBJ_$(1)) harness/plugin.map
	@mkdir -p $$(@D)
	$$(Q)echo "  PLUGIN  $$@"
	$$(Q)$$(CC) -shared $$(SANFLAGS) $$(if $$(SAN),,-Wl,-z,defs) -Wl,--version-script=harness/plugin.map -o $$@ $$(OBJ_$(1)) $$(LDFLAGS) $$(if $(strip $(3)),$$(shell pkg-config --libs $(3))) $(4) -lm
else
SKIPPED += $(1):needs:$(subst $() ,+,$(strip $(3)))
endif
endef

include harness/module.mk
include $(wildcard reference-nets/module.mk)
include $(sort $(wildcard kernels/*/module.mk))

DEPFILES := $(wildcard $(B)/*/*.d $(B)/*/*/*.d $(B)/*/*/*/*.d $(B)/*/*/*/*/*.d)
-include $(DEPFILES)

$(B)/flags.stamp: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(STD) $(CFLAGS) $(SANFLAGS) $(LDFLAGS)' > $@
# Only the harness knows the installed paths: another PREFIX rebuilds it and no kernel.
$(B)/paths.stamp: FORCE
	@mkdir -p $(B)
	@echo '$(plugindir) $(sharedir)' | cmp -s - $@ || echo '$(plugindir) $(sharedir)' > $@
FORCE:

isa_flags = $(if $(filter %_avx512.o,$(1)),-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma,$(if $(filter %_avx2.o,$(1)),-mavx2 -mfma))
$(B)/kernels/%.o: kernels/%.c $(B)/flags.stamp
	@mkdir -p $(@D)
	$(Q)echo "  CC      $<"
	$(Q)$(compile) -fvisibility=hidden $(PRIVATE_OPT) $(call isa_flags,$@) $(PRIVATE_CPP) $(CPPFLAGS) -c -o $@ $<

## all: build the programs, every plugin whose packages are here, and name what was skipped
all: programs plugins
	@$(if $(SKIPPED),printf '  skipped: %s\n' $(SKIPPED),:)
	@$(foreach r,$(REQUIRE),$(if $(filter %/convoy_$(r).so,$(PLUGINS)),:,echo "required backend $(r) cannot be built here" >&2; exit 1);)
programs: $(PROGRAMS)
plugins: $(PLUGINS)

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

## status: which backends are built here, and which packages are missing
status:
	@printf 'backend %s\n' $(patsubst convoy_%.so,%,$(notdir $(PLUGINS)))
	@$(if $(SKIPPED),printf 'skipped %s\n' $(SKIPPED),:)

## deps: install what packages.debian lists and this machine lacks (elsewhere: say what to install)
deps:
	@bash harness/deps.sh $(DEPS_FOR) packages.debian

# Targets below need packages, and the probe for optional ones runs when make starts: so a second make after deps.
with_deps = +$(Q)$(MAKE) --no-print-directory deps DEPS_FOR=$(1) && $(MAKE) --no-print-directory
## demo: verify and time every backend on the lecture table, VGG-16 and ResNet-50 (under 5 minutes)
demo:
	$(call with_deps) demo-run
demo-run: all
	$(Q)bash harness/demo.sh $(B)

## check: the tests: unit, contract, mutants, every backend on the small tables (under 10 minutes)
check:
	$(call with_deps,--check) check-run
check-run: build-tests
	$(Q)bash harness/tests/check.sh $(B) $(TESTS)
build-tests: all $(TESTS) $(TEST_PLUGINS) $(FUZZ_REPLAYS)

## check-san: the unit tests and the smoke table under ASan and UBSan, then threads under TSan (build folders of their own)
SAN_DEFAULT := address,undefined
check-san:
	+$(Q)$(MAKE) --no-print-directory O=$(if $(SAN),$(B),build-san) SAN=$(or $(SAN),$(SAN_DEFAULT)) check-san-run
	+$(Q)$(MAKE) --no-print-directory O=build-tsan SAN=thread check-tsan-run
check-san-run: build-tests
	$(Q)bash harness/tests/check.sh --unit $(B) $(TESTS)
# What runs on several threads and is ours throughout: the pool, and plans of backends without foreign thread pools.
TSAN_BACKENDS := naive template direct winograd
check-tsan-run: programs $(B)/tests/test_pool $(TSAN_BACKENDS:%=$(B)/plugins/convoy_%.so)
	$(Q)$(B)/tests/test_pool
	$(Q)for backend in $(TSAN_BACKENDS); do TSAN_OPTIONS=halt_on_error=1 $(B)/bin/convoy verify -q -b $$backend --threads 2 --table smoke || exit 1; done
	$(Q)TSAN_OPTIONS=halt_on_error=1 $(B)/bin/convoy conform -b template --threads 2

## fuzz: every parser under libFuzzer, FUZZ_SECONDS (60) each, from the committed corpus (clang, its own build folder)
FUZZ_SECONDS ?= 60
fuzz:
	+$(Q)$(MAKE) --no-print-directory CC=clang O=build-fuzz SAN=address,undefined CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' fuzz-run
fuzz-run: $(FUZZERS)
	$(Q)bash harness/tests/fuzz/run.sh $(B)/fuzz $(FUZZ_SECONDS)

## check-NAME: conformance and the small tables for one backend
check-%: all
	$(Q)$(B)/bin/convoy conform -b $*
	$(Q)$(B)/bin/convoy verify -b $* --table smoke --table edge --table regress

## lint: the include rules between folders
lint:
	$(Q)bash harness/lint.sh

## fmt: clang-format over every C file
fmt:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

## new-kernel: make new-kernel NAME=x stamps kernels/x from the template
new-kernel:
	$(Q)bash harness/new-kernel.sh --in-tree "$(NAME)"

## install: programs, headers, plugins, template and convoy.pc below PREFIX (DESTDIR respected)
install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(includedir)/convoy $(DESTDIR)$(plugindir) $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(sharedir)/template $(DESTDIR)$(sharedir)/tables
	install -m 755 $(PROGRAMS) $(DESTDIR)$(bindir)
	install -m 755 harness/new-kernel.sh $(DESTDIR)$(bindir)/convoy-new-kernel
	install -m 644 harness/include/convoy/*.h $(DESTDIR)$(includedir)/convoy
	install -m 644 $(PLUGINS) $(DESTDIR)$(plugindir)
	install -m 644 harness/tables/*.csv $(DESTDIR)$(sharedir)/tables
	install -m 644 harness/plugin.map $(DESTDIR)$(sharedir)
	install -m 644 kernels/template/* $(DESTDIR)$(sharedir)/template
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@BINDIR@|$(bindir)|; s|@LIBDIR@|$(libdir)|; s|@INCLUDEDIR@|$(includedir)|; s|@SHAREDIR@|$(sharedir)|; s|@VERSION@|$(VERSION)|' \
	    harness/convoy.pc.in > $(DESTDIR)$(libdir)/pkgconfig/convoy.pc

## uninstall: remove what install put there
uninstall:
	rm -f $(addprefix $(DESTDIR)$(bindir)/,$(notdir $(PROGRAMS)) convoy-new-kernel) $(DESTDIR)$(libdir)/pkgconfig/convoy.pc
	rm -rf $(DESTDIR)$(includedir)/convoy $(DESTDIR)$(libdir)/convoy $(DESTDIR)$(sharedir)

## dist: a source archive of the last commit
dist:
	git archive --prefix=convoy-$(VERSION)/ -o convoy-$(VERSION).tar.gz HEAD

## clean: remove the build folder
clean:
	rm -rf $(B)

.PHONY: all programs plugins help status deps demo demo-run check check-run build-tests check-san check-san-run check-tsan-run fuzz fuzz-run lint fmt new-kernel install uninstall dist clean FORCE
