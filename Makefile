# Makefile: emma. `make help` says what there is.
#
#   make                       the libraries, in build/
#   make test                  all tests but foreign suites (make conformance), one folder of tests/ after the other; each has a target of its own below
#   make test-long             storms, heaps, ThreadSanitizer for hours: EMMA_TEST_LONG=1
#   make install PREFIX=/usr   libraries, headers, pkg-config; DESTDIR=...
#   make install-bare          the bare allocators alone
#   make clean                 remove build/, or what BUILD is
#   make help                  this list
#   make V=1                   show the commands
#
#   make PREFIX_SYM=foo_       the same libraries with every public name beginning with foo_ instead of emma_: libfoo.a,
#                              foo.h; its messages begin with foo:, its options are in FOO_CONF
#
# Variants live in folders of their own: make BUILD=build/torture VARIANT=-DEMMA_TORTURE=1

ifndef V
.SILENT:
endif

BUILD      ?= build
VARIANT    ?=
PREFIX_SYM ?= emma_
PREFIX     ?= /usr/local
DESTDIR    ?=
VERSION    := 0.1.0

ifneq ($(words $(PREFIX_SYM)) $(filter %_,$(PREFIX_SYM)),1 $(PREFIX_SYM))
$(error PREFIX_SYM is what the names begin with and ends in _: PREFIX_SYM=$(patsubst %_,%,$(firstword $(PREFIX_SYM) foo))_)
endif

# With a cross compiler, the tools beside it, where none are given.
CROSS    := $(if $(filter %-gcc,$(CC)),$(patsubst %gcc,%,$(CC)))
tool      = $(if $(filter default undefined,$(origin $(1))),$(CROSS)$(2),$($(1)))
LD       := $(call tool,LD,ld)
AR       := $(call tool,AR,ar)
NM       := $(call tool,NM,nm)
OBJCOPY  := $(call tool,OBJCOPY,objcopy)
CFLAGS   ?= -O2 -g
# gcc for aarch64 would call a library to choose atomic instructions at run time; the core has none.
MACHINE  := $(if $(findstring aarch64,$(shell $(CC) -dumpmachine)),-mno-outline-atomics)
# The name of a renamed copy in messages and in the environment; its objects lie apart.
COPY_NAME := $(patsubst %_,%,$(filter-out emma_,$(PREFIX_SYM)))
COPY      := $(if $(COPY_NAME),-DEMMA_NAME='"$(COPY_NAME)"' -DEMMA_NAME_UPPER='"$(shell echo $(COPY_NAME) | tr a-z A-Z)"')
OBJ       := $(BUILD)/obj$(if $(COPY_NAME),-$(COPY_NAME))
EMMA_CFLAGS := -std=c11 -fPIC -fvisibility=hidden -fno-strict-aliasing -ftls-model=initial-exec -Isrc -Iinclude \
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual -Wshadow -Wundef -Wvla \
    -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings $(COPY) $(MACHINE) $(VARIANT)
CORE_CFLAGS     := -ffreestanding
OVERRIDE_CFLAGS := -D_GNU_SOURCE -fno-builtin -fexceptions

NAME := lib$(patsubst %_,%,$(PREFIX_SYM))

CORE_DIRS     := base plat/linux region span depot cache heap purge ctl api
CORE_SOURCES  := $(filter-out %/nolibc.c %/nolibc_rseq.c,$(foreach dir,$(CORE_DIRS),$(wildcard src/$(dir)/*.c))) $(wildcard src/bare/fit*.c)
CORE_OBJECTS  := $(CORE_SOURCES:src/%.c=$(OBJ)/%.o)
OVERRIDE_OBJECTS := $(patsubst src/%.c,$(OBJ)/%.o,$(wildcard src/override/*.c))

EMMA_A         := $(BUILD)/$(NAME).a
EMMA_SO        := $(BUILD)/$(NAME).so
EMMA_MALLOC_A  := $(BUILD)/$(NAME)-malloc.a
EMMA_MALLOC_O  := $(BUILD)/$(NAME)-malloc.o
EMMA_MALLOC_SO := $(BUILD)/$(NAME)-malloc.so

.PHONY: all help clean install install-bare
all: $(EMMA_A) $(EMMA_SO) $(EMMA_MALLOC_A) $(EMMA_MALLOC_O) $(EMMA_MALLOC_SO)

help:
	sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
	sed -n 's/^#   \(make .*\)/\1/p' $(filter-out Makefile %.d,$(MAKEFILE_LIST)) | sort | \
	    awk -F '   *' '{ printf "  %-26s %s\n", $$1, $$2 }'

$(OBJ)/%.o: src/%.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) $(if $(filter src/override/%,$<),$(OVERRIDE_CFLAGS),$(CORE_CFLAGS)) -MMD -MP -c -o $@ $<

-include $(CORE_OBJECTS:.o=.d) $(OVERRIDE_OBJECTS:.o=.d)

# One object with nothing but the public names global; these renamed if another prefix is asked for. So a static library
# has no internal name that could meet another copy's.
define one-object
	mkdir -p $(@D) && echo "  ld    $@"
	$(LD) -r -o $@ $^
	$(OBJCOPY) --localize-hidden $@
	$(if $(COPY_NAME),$(NM) --defined-only -g $@ | sed -n 's/.* \(emma_\)\(.*\)/\1\2 $(PREFIX_SYM)\2/p' \
	    >$@.names && $(OBJCOPY) --redefine-syms=$@.names $@)
endef

$(BUILD)/$(NAME).o: $(CORE_OBJECTS)
	$(one-object)

$(EMMA_MALLOC_O): $(CORE_OBJECTS) $(OVERRIDE_OBJECTS)
	$(one-object)

$(BUILD)/%.a: $(BUILD)/%.o
	echo "  ar    $@" && rm -f $@
	$(AR) crs $@ $<

# The library stays loaded: threads may be in it, and their ends call it. It uses its own functions, whatever others of the
# same names the program has, but for C++'s operators, which the standard lets a program replace one by one.
$(BUILD)/%.so: $(BUILD)/%.o
	echo "  ld    $@"
	ln -sf $(@F) $@.0
	$(CC) -shared -Wl,-soname,$(@F).0 -Wl,--dynamic-list=src/override/replaceable.list -Wl,-z,nodelete,-z,relro,-z,now,-z,noexecstack -Wl,--no-undefined -o $@ $< -pthread

# Everything but the foreign suites (make conformance) and the bench. One after the other: some watch the clock.
TESTS := unit unit-torture unit-sanitize freestanding cross model fault storm heaps musl misuse limits sanitize programs examples bare
LONG_TESTS := storm heaps tsan
.PHONY: test test-long
test: all
	$(call each-test,$(TESTS))

# What storms and heaps do at random, ten times as often and more.
test-long: export EMMA_TEST_LONG = 1
test-long: all
	$(call each-test,$(LONG_TESTS))

# $(call each-test,TESTS)
define each-test
	failed=; for test in $(1); do \
	    echo "== $$test"; $(MAKE) --no-print-directory test-$$test || failed="$$failed $$test"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; echo "All tests passed: $(1)"
endef

clean:
	rm -rf $(BUILD)

# emma.h and emma_heap.h under the copy's names.
EMMA_STEM    := $(patsubst %_,%,$(PREFIX_SYM))
EMMA_HEADERS := $(patsubst include/emma%,$(BUILD)/include/$(EMMA_STEM)%,include/emma.h include/emma_heap.h)
$(BUILD)/include/$(EMMA_STEM)%: include/emma%
	mkdir -p $(@D)
	sed 's/\bemma_/$(PREFIX_SYM)/g; s/\bEMMA_/$(shell echo $(PREFIX_SYM) | tr a-z A-Z)/g; s/\bemma\.h\b/$(EMMA_STEM).h/g; s/\blibemma\b/$(NAME)/g' $< >$@

DESCRIPTION        := A memory allocator to be embedded: functions of its own names, no libc needed
DESCRIPTION_MALLOC := A memory allocator in the place of malloc, free and operator new of the whole program
DESCRIPTION_BARE   := Allocators for memory without an operating system

# The drop-in is wanted also where nothing in the program itself allocates.
always = -Wl,--push-state,--no-as-needed -l% -Wl,--pop-state

# $(call pkg-config,LIBRARY,DESCRIPTION)
define pkg-config
	printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: %s\nDescription: %s\nVersion: %s\nLibs: -L$${libdir} %s\nCflags: -I$${includedir}\n' \
	    '$(PREFIX)' '$(1)' '$(2)' '$(VERSION)' '$(if $(filter %-malloc,$(1)),$(1:lib%=$(always)),$(1:lib%=-l%))' >$(DESTDIR)$(PREFIX)/lib/pkgconfig/$(1).pc
endef

# The bare allocators have no names but their own: a renamed copy comes without them.
install: all $(EMMA_HEADERS) $(if $(COPY_NAME),,install-bare)
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 $(EMMA_A) $(EMMA_MALLOC_A) $(EMMA_MALLOC_O) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(EMMA_SO) $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_SO)).0
	install -m 755 $(EMMA_MALLOC_SO) $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_MALLOC_SO)).0
	ln -sf $(notdir $(EMMA_SO)).0 $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_SO))
	ln -sf $(notdir $(EMMA_MALLOC_SO)).0 $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_MALLOC_SO))
	install -m 644 $(EMMA_HEADERS) $(DESTDIR)$(PREFIX)/include
	$(call pkg-config,$(NAME),$(DESCRIPTION))
	$(call pkg-config,$(NAME)-malloc,$(DESCRIPTION_MALLOC))

install-bare: bare
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 include/emma_bare.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(BARE_ARCHIVE) $(DESTDIR)$(PREFIX)/lib
	$(call pkg-config,libemma-bare,$(DESCRIPTION_BARE))

include $(filter-out %/stages.mk,$(wildcard tests/*/*.mk src/bare/*.mk examples/*.mk bench/*.mk tools/*/*.mk))
.DEFAULT_GOAL := all
