# bare_test.mk: `make test-bare`, the tests of the bare allocators. Included by the top Makefile.
#
#   make test-bare            the allocators for bare memory, on every machine
#   make test-bare-MACHINE    one machine: hosted, x86_64, cortex-m3, ...
#   make fuzz-bare            libFuzzer on each allocator in turn, BARE_FUZZ_SECONDS each
#   make bare-fragmentation   the experiment of docs/BARE.md
#   make bare-worst           worst cases in instructions: x86-64, Cortex-M3, riscv64
#
# Each machine has a compiler, flags, a port and packages. A machine is one static program of the library, the tests and
# its port; only `hosted` has a libc.

BARE_OUT   := build/bare/tests
BARE_LIB   := $(wildcard src/bare/*.c)
BARE_TESTS := $(wildcard tests/bare/*.c)
BARE_DEPS  := $(wildcard src/bare/*.h tests/bare/*.h tests/bare/port/*) include/emma_bare.h tests/bare/bare_test.mk
BARE_WARN  := -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual -Wshadow -Wundef \
    -Wvla -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Isrc -Iinclude -Itests/bare
BARE_ALONE := -ffreestanding -fno-stack-protector -nostdlib -static

# What the wildcards of bare_machine are: compiler and flags; port; packages.
BARE_CC_hosted    = gcc -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
BARE_CC_clang     = clang -O2 -pthread
BARE_CC_steps     = gcc -O2 -DEMMA_BARE_COUNT_STEPS -pthread
BARE_CC_on-heap   = gcc -O2 -pthread
BARE_CC_stepped   = gcc -O2
BARE_CC_unchecked = gcc -O2 -DEMMA_BARE_CHECKS=0 -pthread
BARE_CC_x86_64    = gcc -O2 $(BARE_ALONE)
BARE_CC_i686      = i686-linux-gnu-gcc -O2 $(BARE_ALONE)
BARE_CC_aarch64   = aarch64-linux-gnu-gcc -O2 -mno-outline-atomics $(BARE_ALONE)
BARE_CC_riscv64   = riscv64-linux-gnu-gcc -O2 $(BARE_ALONE)
BARE_CC_s390x     = s390x-linux-gnu-gcc -O2 $(BARE_ALONE)
BARE_CC_wasm32    = clang --target=wasm32 -O2 -ffreestanding -nostdlib -Wl,--no-entry,--allow-undefined,--export=run,-z,stack-size=262144
BARE_CC_cortex-m3 = arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -Os -Wl,--build-id=none,--no-warn-rwx-segments $(BARE_ALONE) -T tests/bare/port/mps2.ld
BARE_CC_virt      = riscv64-linux-gnu-gcc -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -O2 -Wl,--build-id=none,--no-warn-rwx-segments \
    $(BARE_ALONE) -T tests/bare/port/virt.ld

BARE_LINUX := linux.c memory.c alone.c
BARE_PORT_hosted    := hosted.c
BARE_PORT_clang     := hosted.c
BARE_PORT_steps     := hosted.c
BARE_PORT_unchecked := hosted.c
BARE_PORT_on-heap   := hosted.c
BARE_PORT_stepped   := stepped.c alone.c
BARE_PORT_x86_64    := linux_x86_64.S $(BARE_LINUX)
BARE_PORT_i686      := linux_i686.S $(BARE_LINUX)
BARE_PORT_aarch64   := linux_aarch64.S $(BARE_LINUX)
BARE_PORT_riscv64   := linux_riscv64.S $(BARE_LINUX)
BARE_PORT_s390x     := linux_s390x.S $(BARE_LINUX)
BARE_PORT_wasm32    := wasm.c memory.c alone.c
BARE_PORT_cortex-m3 := mps2.S mps2.c memory.c alone.c
BARE_PORT_virt      := virt.S virt.c memory.c

BARE_NEED_clang     := clang
BARE_NEED_i686      := gcc-i686-linux-gnu
BARE_NEED_aarch64   := gcc-aarch64-linux-gnu qemu-user
BARE_NEED_riscv64   := gcc-riscv64-linux-gnu qemu-user
BARE_NEED_s390x     := gcc-s390x-linux-gnu qemu-user
BARE_NEED_wasm32    := clang lld nodejs
BARE_NEED_cortex-m3 := gcc-arm-none-eabi qemu-system-arm
BARE_NEED_virt      := gcc-riscv64-linux-gnu qemu-system-misc

# The slowest first.
BARE_MACHINES := virt cortex-m3 aarch64 s390x riscv64 wasm32 i686 x86_64 hosted clang steps unchecked

# Its compiler has no division of 64 bits, or no counting of zeros: for the tests; the library calls for none (objects.sh).
BARE_LIBS_cortex-m3 := -lgcc
BARE_LIBS_i686      := -lgcc
BARE_LIBS_hosted    := -pthread
BARE_LIBS_on-heap    = $(EMMA_A)

# $(call bare_program,machine,sources,flags) builds $@.
bare_program = mkdir -p $(@D) && echo "  cc    $@" && $(if $(BARE_NEED_$(1)),tools/need.sh $(BARE_NEED_$(1)) &&) \
    $(BARE_CC_$(1)) $(BARE_WARN) $(3) -o $@ $(BARE_LIB) $(2) $(BARE_PORT_$(1):%=tests/bare/port/%) $(BARE_LIBS_$(1))

$(BARE_MACHINES:%=$(BARE_OUT)/%): $(BARE_OUT)/%: $(BARE_LIB) $(BARE_TESTS) $(BARE_DEPS)
	$(call bare_program,$*,$(BARE_TESTS))

# Folded for one geometry at compile time: its own tests, and the random play, which then keeps to that geometry.
BARE_FOLD := -DEMMA_BUDDY_BLOCK_BYTES=1024 -DEMMA_BUDDY_LEVELS=4
$(BARE_OUT)/folded: $(BARE_LIB) $(BARE_TESTS) tests/bare/folded/folded.c $(BARE_DEPS)
	$(call bare_program,clang,tests/bare/folded/folded.c $(filter-out tests/bare/all.c,$(BARE_TESTS)),$(BARE_FOLD))

# On the heaps of others: libc's, and emma's own, which the top Makefile makes.
BARE_ON_HEAP := tests/bare/hosted/on_heap.c tests/bare/bare_tap.c tests/bare/bare_shadow.c
$(BARE_OUT)/on-heap: $(BARE_LIB) $(BARE_ON_HEAP) $(BARE_DEPS) $(EMMA_A)
	$(call bare_program,on-heap,$(BARE_ON_HEAP))

# Worst cases in instructions: counted by the emulator on two boards, by single steps on x86-64.
BARE_COSTS := stepped cortex-m3 virt
BARE_COST_TESTS := tests/bare/cost/cost.c tests/bare/bare_tap.c
$(BARE_COSTS:%=$(BARE_OUT)/%-cost): $(BARE_OUT)/%-cost: $(BARE_LIB) $(BARE_COST_TESTS) $(BARE_DEPS) $(wildcard tests/bare/cost/*)
	$(call bare_program,$*,$(BARE_COST_TESTS) tests/bare/cost/bounds_$(subst -,_,$*).c,-Itests/bare/cost)

BARE_PROGRAMS := $(BARE_MACHINES:%=$(BARE_OUT)/%) $(BARE_OUT)/folded $(BARE_OUT)/on-heap $(BARE_COSTS:%=$(BARE_OUT)/%-cost)
BARE_SCRIPTS  := tests/bare/objects.sh tests/bare/size.sh

# The recorded inputs, replayed without the fuzzer; and the fuzzer: make fuzz-bare BARE_FUZZ_SECONDS=600.
BARE_PLAYS   := bump slab buddy fit
BARE_PLAYING := tests/bare/bare_shadow.c $(BARE_PLAYS:%=tests/bare/play_%.c)
BARE_FUZZ_SECONDS ?= 60
$(BARE_OUT)/replay: $(BARE_LIB) $(BARE_PLAYING) fuzz/bare/replay.c $(BARE_DEPS)
	mkdir -p $(@D) && echo "  cc    $@"
	$(BARE_CC_hosted) $(BARE_WARN) -o $@ $(BARE_LIB) $(BARE_PLAYING) fuzz/bare/replay.c

$(BARE_PLAYS:%=$(BARE_OUT)/fuzz-%): $(BARE_OUT)/fuzz-%: $(BARE_LIB) $(BARE_PLAYING) fuzz/bare/target.c $(BARE_DEPS)
	tools/need.sh clang
	mkdir -p $(@D) && echo "  cc    $@"
	clang -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(BARE_WARN) \
	    -o $@ $(BARE_LIB) $(BARE_PLAYING) fuzz/bare/target.c

.PHONY: fuzz-bare $(BARE_PLAYS:%=fuzz-bare-%)
fuzz-bare: $(BARE_PLAYS:%=fuzz-bare-%)
$(BARE_PLAYS:%=fuzz-bare-%): fuzz-bare-%: $(BARE_OUT)/fuzz-%
	mkdir -p build/bare/found/$*
	$< -max_total_time=$(BARE_FUZZ_SECONDS) -max_len=512 -artifact_prefix=build/bare/found/ build/bare/found/$* fuzz/bare/corpus/$*

.PHONY: test-bare $(BARE_MACHINES:%=test-bare-%) bare-worst
test-bare: $(BARE_PROGRAMS) $(BARE_OUT)/replay
	tools/need.sh perl
	prove --jobs 2 --exec tests/bare/run.sh $(BARE_PROGRAMS) $(BARE_SCRIPTS) $(BARE_OUT)/replay

$(BARE_MACHINES:%=test-bare-%): test-bare-%: $(BARE_OUT)/%
	tools/need.sh perl
	prove --exec tests/bare/run.sh $<

bare-worst: $(BARE_COSTS:%=$(BARE_OUT)/%-cost)
	tools/need.sh perl
	prove --verbose --exec tests/bare/run.sh $^

$(BARE_OUT)/fragmentation: $(BARE_LIB) tests/bare/cost/fragmentation.c $(BARE_DEPS)
	mkdir -p $(@D) && echo "  cc    $@"
	gcc -O2 $(BARE_WARN) -o $@ $(BARE_LIB) tests/bare/cost/fragmentation.c

.PHONY: bare-fragmentation
bare-fragmentation: $(BARE_OUT)/fragmentation
	$<
