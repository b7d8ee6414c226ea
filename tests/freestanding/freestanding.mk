# freestanding.mk: the unit tests that need no libc, as static programs that have none: their own _start, no
# thread-local storage, nothing but emma, the tests and system calls. Included by the top Makefile.
#
# `make test-freestanding` builds and runs them for x86-64, and for aarch64 and riscv64 under emulation;
# `make test-freestanding-ARCH` for one. The rules that build a test are in tests/unit/unit.mk.
#
#   make test-freestanding    unit tests without libc: x86-64, aarch64, riscv64; test-freestanding-ARCH for one

FREESTANDING_ARCHS := x86_64 aarch64 riscv64
FREESTANDING_TESTS  = $(filter-out %_storm_test,$(UNIT_TESTS))

FREESTANDING_NEED_x86_64  := perl
FREESTANDING_NEED_aarch64 := perl gcc-aarch64-linux-gnu qemu-user
FREESTANDING_NEED_riscv64 := perl gcc-riscv64-linux-gnu qemu-user
FREESTANDING_CC_aarch64   := aarch64-linux-gnu-gcc
FREESTANDING_CC_riscv64   := riscv64-linux-gnu-gcc
FREESTANDING_CC_x86_64     = $(CC)
FREESTANDING_EXEC_aarch64 := qemu-aarch64
FREESTANDING_EXEC_riscv64 := qemu-riscv64
# Its instruction set has no counting of zeroes: the compiler's own library does it.
FREESTANDING_LIBS_riscv64 := -lgcc

FREESTANDING_LINK := -nostdlib -static -Wl,--build-id=none,--no-undefined

# The riscv64 programs once more in an address space of 38 bits, as Sv39 gives, where the kernel does not know
# MAP_FIXED_NOREPLACE. The emulator cannot resize mappings there, so only tests that do not.
FREESTANDING_SMALL := alloc_test free_test span_test compact_test purge_test region_test window_test

.PHONY: test-freestanding test-freestanding-small $(FREESTANDING_ARCHS:%=test-freestanding-%)
test-freestanding: $(FREESTANDING_ARCHS:%=test-freestanding-%) test-freestanding-small

test-freestanding-small: test-freestanding-riscv64
	prove --jobs 2 --exec 'qemu-riscv64 -R 0x4000000000' \
	    $(FREESTANDING_SMALL:%=build/tests/freestanding-riscv64/unit/%)

$(FREESTANDING_ARCHS:%=test-freestanding-%): test-freestanding-%:
	tools/need.sh $(FREESTANDING_NEED_$*)
	$(unit_make) BUILD=build/tests/freestanding-$* CC=$(FREESTANDING_CC_$*) CFLAGS='-O1 -g' \
	    VARIANT='-DEMMA_HAS_TLS=0 -fno-stack-protector -fno-asynchronous-unwind-tables' \
	    UNIT_CFLAGS=-ffreestanding UNIT_LDFLAGS='$(FREESTANDING_LINK) $(FREESTANDING_LIBS_$*)' UNIT_EXEC='$(FREESTANDING_EXEC_$*)' \
	    UNIT_START='build/tests/freestanding-$*/unit/start.o build/tests/freestanding-$*/unit/nolibc.o' \
	    UNIT_TESTS='$(FREESTANDING_TESTS) register_test' unit-run

$(BUILD)/unit/start.o: tests/freestanding/start.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) $(CORE_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/register_test: $(BUILD)/unit/nolibc_rseq.o
$(BUILD)/unit/register_test.o: tests/freestanding/register_test.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/nolibc_rseq.o: src/plat/linux/nolibc_rseq.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) $(CORE_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/nolibc.o: src/plat/linux/nolibc.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) $(CORE_CFLAGS) -fno-tree-loop-distribute-patterns -MMD -MP -c -o $@ $<
