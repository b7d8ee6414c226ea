# Makefile: emma. `make help` says what there is.
#
#   make                       the libraries, in build/
#   make demo                  three real programs on libc's malloc and on emma, side by side
#   make test                  all tests                     make check    all rules that a program can check
#   make install PREFIX=/usr   libraries, headers, pkg-config
#   make PREFIX_SYM=foo_       the same libraries with every public name beginning with foo_ instead of emma_
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

CC       ?= gcc
LD       ?= ld
OBJCOPY  ?= objcopy
AR       ?= ar
CFLAGS   ?= -O2 -g
EMMA_CFLAGS := -std=c11 -fPIC -fvisibility=hidden -fno-strict-aliasing -ftls-model=initial-exec -Isrc -Iinclude \
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual -Wshadow -Wundef -Wvla \
    -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Werror $(VARIANT)
CORE_CFLAGS     := -ffreestanding
OVERRIDE_CFLAGS := -D_GNU_SOURCE -fno-builtin -fexceptions

NAME := lib$(patsubst %_,%,$(PREFIX_SYM))

CORE_DIRS     := base plat/linux region span depot cache heap purge ctl api
CORE_SOURCES  := $(filter-out %/nolibc.c,$(foreach dir,$(CORE_DIRS),$(wildcard src/$(dir)/*.c)))
CORE_OBJECTS  := $(CORE_SOURCES:src/%.c=$(BUILD)/obj/%.o)
OVERRIDE_OBJECTS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(wildcard src/override/*.c))

EMMA_A         := $(BUILD)/$(NAME).a
EMMA_SO        := $(BUILD)/$(NAME).so
EMMA_MALLOC_A  := $(BUILD)/$(NAME)-malloc.a
EMMA_MALLOC_O  := $(BUILD)/$(NAME)-malloc.o
EMMA_MALLOC_SO := $(BUILD)/$(NAME)-malloc.so

.PHONY: all help clean install
all: $(EMMA_A) $(EMMA_SO) $(EMMA_MALLOC_A) $(EMMA_MALLOC_O) $(EMMA_MALLOC_SO)

help:
	sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

$(BUILD)/obj/%.o: src/%.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) $(if $(filter src/override/%,$<),$(OVERRIDE_CFLAGS),$(CORE_CFLAGS)) -MMD -MP -c -o $@ $<

-include $(CORE_OBJECTS:.o=.d) $(OVERRIDE_OBJECTS:.o=.d)

# One object with nothing but the public names global; these renamed if another prefix is asked for. So a static library
# has no internal name that could meet another copy's.
define one-object
	mkdir -p $(@D) && echo "  ld    $@"
	$(LD) -r -o $@ $^
	$(OBJCOPY) --localize-hidden $@
	$(if $(filter-out emma_,$(PREFIX_SYM)),nm --defined-only -g $@ | sed -n 's/.* \(emma_\)\(.*\)/\1\2 $(PREFIX_SYM)\2/p' \
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
TESTS := unit unit-torture unit-sanitize freestanding model fault storm misuse limits sanitize programs bare
.PHONY: test
test: all
	failed=; for test in $(TESTS); do \
	    echo "== $$test"; $(MAKE) --no-print-directory test-$$test || failed="$$failed $$test"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; echo "All tests passed: $(TESTS)"

clean:
	rm -rf build

EMMA_STEM    := $(patsubst %_,%,$(PREFIX_SYM))
EMMA_HEADERS := $(patsubst include/emma%,$(BUILD)/include/$(EMMA_STEM)%,include/emma.h include/emma_heap.h)
$(BUILD)/include/$(EMMA_STEM)%: include/emma%
	mkdir -p $(@D)
	sed 's/\bemma_/$(PREFIX_SYM)/g; s/\bEMMA_/$(shell echo $(PREFIX_SYM) | tr a-z A-Z)/g; s/\bemma\.h\b/$(EMMA_STEM).h/g' $< >$@

install: all $(EMMA_HEADERS)
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 $(EMMA_A) $(EMMA_MALLOC_A) $(EMMA_MALLOC_O) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(EMMA_SO) $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_SO)).0
	install -m 755 $(EMMA_MALLOC_SO) $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_MALLOC_SO)).0
	ln -sf $(notdir $(EMMA_SO)).0 $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_SO))
	ln -sf $(notdir $(EMMA_MALLOC_SO)).0 $(DESTDIR)$(PREFIX)/lib/$(notdir $(EMMA_MALLOC_SO))
	install -m 644 $(EMMA_HEADERS) $(DESTDIR)$(PREFIX)/include
	for name in $(NAME) $(NAME)-malloc; do \
	    printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: %s\nDescription: An embeddable memory allocator\nVersion: %s\nLibs: -L$${libdir} -l%s\nCflags: -I$${includedir}\n' \
	        '$(PREFIX)' $$name '$(VERSION)' $${name#lib} >$(DESTDIR)$(PREFIX)/lib/pkgconfig/$$name.pc; done

include $(filter-out %/stages.mk,$(wildcard tests/*/*.mk src/bare/*.mk bench/*.mk tools/*/*.mk))
.DEFAULT_GOAL := all
