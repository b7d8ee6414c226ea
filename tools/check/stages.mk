# stages.mk: the stages of `make check`, to be run from the top of the repository. What passed leaves a stamp below
# build/check, which stands until the file, a header of it or the settings change. check.mk runs this file in a make of
# its own, so nothing here meets the names of the build.
HERE := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
OUT := build/check
GCC ?= gcc
GXX ?= g++
CLANG ?= clang-14
CLANGXX ?= clang++-14
export CLANG
PREFIX ?= emma_

PACKAGES := g++ clang-14 clang-format-14 clang-tidy-14 cppcheck shellcheck universal-ctags python3 liblua5.4-dev libsqlite3-dev

# $(call files,FOLDERS,EXPRESSION OF find)
files = $(sort $(if $(wildcard $(1)),$(shell find $(wildcard $(1)) -type f \( $(2) \))))
HOSTED := tests bench fuzz examples
# The shim of foreign suites compiles with them only.
CHECK_SKIP := tests/conformance/shim/%
SOURCES := $(call files,src,-name '*.c')
HEADERS := $(call files,src include,-name '*.h')
PROGRAMS := $(filter-out $(CHECK_SKIP),$(call files,$(HOSTED),-name '*.c'))
PROGRAMS_CXX := $(filter-out $(CHECK_SKIP),$(call files,src $(HOSTED),-name '*.cc' -o -name '*.cpp'))
PUBLIC := $(filter include/%,$(HEADERS))
FORMATTED := $(call files,src include $(HOSTED),-name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp')
SCRIPTS := $(call files,tools $(HOSTED),-name '*.sh')

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual -Wshadow -Wundef -Wvla \
	-Wswitch-enum -Wwrite-strings -Werror
WARN_C := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
PATHS := -Isrc -Iinclude
C11 := -std=c11 $(PATHS) -fvisibility=hidden
CXX17 := -std=c++17 $(PATHS) -fvisibility=hidden

# Files for another machine than this one: only clang compiles them, for that machine.
ARCHS := $(filter-out $(shell uname -m),x86_64 aarch64 riscv64)
FOREIGN := $(foreach arch,$(ARCHS),$(filter %_$(arch).c %_$(arch).h,$(SOURCES) $(HEADERS))) \
	$(filter src/plat/wasm/%,$(SOURCES) $(HEADERS))
target = $(if $(filter $(FOREIGN),$<),--target=$(or $(strip $(foreach arch,$(ARCHS),$(if \
	$(filter %_$(arch).c %_$(arch).h,$<),$(arch)-linux-gnu))),wasm32))

# What kind of program a file belongs to: freestanding below src/override, a user of a hosted libc elsewhere.
room = $(if $(filter src/% include/%,$(filter-out src/override/%,$<)),-ffreestanding,-D_GNU_SOURCE -I$(<D))

STAGES := format-check compile headers rules built tidy cppcheck shell selftest
.PHONY: all format $(STAGES)
all: $(STAGES)
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

TOOLS := $(OUT)/tools.ok
$(TOOLS): $(HERE)/stages.mk
	@mkdir -p $(@D)
	@$(HERE)/../need.sh $(PACKAGES)
	@touch $@

# $(call passed,STAGE,FILES)
passed = @echo "ok - $(1) ($(words $(2)) files)"

# --- formatting ---
format-check: $(FORMATTED:%=$(OUT)/format/%.ok)
	$(call passed,format,$(FORMATTED))
$(OUT)/format/%.ok: % .clang-format | $(TOOLS)
	@mkdir -p $(@D)
	@clang-format-14 --dry-run --Werror $<
	@touch $@
format: | $(TOOLS)
	@$(if $(FORMATTED),clang-format-14 -i $(FORMATTED))

# --- compiling: gcc and clang, all warnings ---
COMPILED := $(addsuffix .o,$(basename $(SOURCES) $(PROGRAMS) $(PROGRAMS_CXX)))
NATIVE := $(filter-out $(FOREIGN:.c=.o),$(COMPILED))
OBJECTS := $(NATIVE:%=$(OUT)/gcc/%) $(COMPILED:%=$(OUT)/clang/%)
compile: $(OBJECTS)
	$(call passed,compile,$(OBJECTS))

# $(call compiler,NAME,C COMPILER,C++ COMPILER); gcc also tells who calls whom, for the rule stack
define compiler
$(OUT)/$(1)/%.o: %.c $(HERE)/stages.mk | $(TOOLS)
	@mkdir -p $$(@D)
	@$(2) $(C11) $(WARN_C) $$(target) $$(room) -O2 -MMD -MP -c $$< -o $$@
$(foreach ending,cc cpp,$(OUT)/$(1)/%.o: %.$(ending) $(HERE)/stages.mk | $(TOOLS)
	@mkdir -p $$(@D)
	@$(3) $(CXX17) $(WARN) $$(room) -O2 -MMD -MP -c $$< -o $$@
)
endef
$(eval $(call compiler,gcc,$(GCC) -fcallgraph-info=su,$(GXX)))
$(eval $(call compiler,clang,$(CLANG),$(CLANGXX)))

# --- headers compile alone, and twice; public ones also in C++ ---
ALONE := $(patsubst %,$(OUT)/alone/gcc-c11/%.ok,$(filter-out $(FOREIGN),$(HEADERS))) \
	$(HEADERS:%=$(OUT)/alone/clang-c11/%.ok) \
	$(PUBLIC:%=$(OUT)/alone/gcc-c++17/%.ok) $(PUBLIC:%=$(OUT)/alone/clang-c++17/%.ok)
headers: $(ALONE)
	$(call passed,headers,$(ALONE))

# $(call alone,NAME,COMPILER)
define alone
$(OUT)/alone/$(1)/%.ok: % $(HERE)/stages.mk | $(TOOLS)
	@mkdir -p $$(@D)
	@printf '#include "%s"\n#include "%s"\n' $$< $$< | \
		$(2) $$(target) $$(room) -I. -fsyntax-only -MMD -MP -MF $$(@:.ok=.d) -MT $$@ -
	@touch $$@
endef
$(eval $(call alone,gcc-c11,$(GCC) -x c $(C11) $(WARN_C)))
$(eval $(call alone,clang-c11,$(CLANG) -x c $(C11) $(WARN_C)))
$(eval $(call alone,gcc-c++17,$(GXX) -x c++ $(CXX17) $(WARN)))
$(eval $(call alone,clang-c++17,$(CLANGXX) -x c++ $(CXX17) $(WARN)))

-include $(OBJECTS:.o=.d) $(ALONE:.ok=.d)

# --- analysis: a file is analysed again when its object is made again ---
TIDIED := $(SOURCES) $(filter examples/%,$(PROGRAMS))
tidy: $(TIDIED:%.c=$(OUT)/tidy/%.ok)
	$(call passed,tidy,$(TIDIED))
$(OUT)/tidy/%.ok: %.c $(OUT)/clang/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy-14 --quiet --warnings-as-errors='*' $< -- $(C11) $(target) $(room) >$(@:.ok=.log) 2>&1 || \
		{ sed -e '/^[0-9]* warnings\? generated\.$$/d' -e 's|^$(CURDIR)/||' $(@:.ok=.log); false; }
	@touch $@

cppcheck: $(TIDIED:%.c=$(OUT)/cppcheck/%.ok)
	$(call passed,cppcheck,$(TIDIED))
$(OUT)/cppcheck/%.ok: %.c $(OUT)/clang/%.o $(HERE)/cppcheck.txt
	@mkdir -p $(@D)
	@cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 --inline-suppr $(PATHS) -I$(<D) \
		--enable=warning,performance,portability --suppressions-list=$(HERE)/cppcheck.txt \
		-D__GNUC__=12 -D__x86_64__=1 -D__linux__=1 -D__STDC_VERSION__=201112L '-D_Atomic(T)=T' \
		--template='{file}:{line}: cppcheck: {message} [{id}]' $<
	@touch $@

shell: $(SCRIPTS:%=$(OUT)/shell/%.ok)
	$(call passed,shell,$(SCRIPTS))
$(OUT)/shell/%.ok: % | $(TOOLS)
	@mkdir -p $(@D)
	@shellcheck --external-sources --source-path=SCRIPTDIR --format=gcc $<
	@touch $@

# --- rules of our own ---
rules: | $(TOOLS)
	@$(HERE)/rules.py text
built: $(filter $(OUT)/gcc/src/%,$(OBJECTS)) | $(TOOLS)
	@$(HERE)/rules.py --prefix $(PREFIX) built

# --- each of the above can fail ---
SELFTESTED := $(wildcard $(HERE)/*.py $(HERE)/*.mk $(HERE)/*.txt) .clang-format .clang-tidy
selftest: $(OUT)/selftest.ok
	@echo "ok - selftest"
$(OUT)/selftest.ok: $(SELFTESTED) | $(TOOLS)
	@$(HERE)/selftest.py >$(@:.ok=.log) || { sed -n '/^not ok/,/^ok/p' $(@:.ok=.log); false; }
	@touch $@
