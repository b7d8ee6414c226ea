# cross.mk: `make test-cross`: the configuration that is shipped, with thread-local storage, threads and the janitor, in
# static programs of glibc for other machines, under emulation. Included by the top Makefile.
#
# Own tests on the drop-in (libemma-malloc.o); unit tests and tests of heaps on the core's objects. Without libc and
# without thread-local storage: tests/freestanding.
#
#   make test-cross           threads, the drop-in and the janitor on aarch64 and riscv64; test-cross-ARCH for one

CROSS_ARCHS := aarch64 riscv64
CROSS_TESTS := cross_test janitor_test
CROSS_UNIT  := janitor_storm_test lent_storm_test layers_storm_test thread_test
CROSS_HEAPS := handler_test

CROSS_NEED_aarch64 := gcc-aarch64-linux-gnu libc6-dev-arm64-cross
CROSS_NEED_riscv64 := gcc-riscv64-linux-gnu libc6-dev-riscv64-cross

CROSS_OUT    := $(BUILD)/tests/cross
CROSS_CFLAGS := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Wall -Wextra -Werror -fno-builtin -pthread -DSTORM_DROP_IN=1
CROSS_WITH   := tests/storm/storm.c tests/storm/storm_work.c

.PHONY: test-cross $(CROSS_ARCHS:%=test-cross-%)
test-cross: $(CROSS_ARCHS:%=test-cross-%)

$(CROSS_ARCHS:%=test-cross-%): test-cross-%:
	tools/need.sh perl qemu-user $(CROSS_NEED_$*)
	$(unit_make) BUILD=build/cross-$* CC=$*-linux-gnu-gcc CFLAGS='-O1 -g -static' CROSS_EXEC='env EMMA_CONF=janitor=on qemu-$*' cross-run

# Not for the command line: what an architecture's own make does.
.PHONY: cross-run
cross-run: $(CROSS_TESTS:%=$(CROSS_OUT)/%) $(CROSS_UNIT:%=$(BUILD)/unit/%) $(CROSS_HEAPS:%=$(BUILD)/tests/heaps/%)
	prove --jobs 2 --timer --exec '$(CROSS_EXEC)' $^

$(CROSS_OUT)/%_test: tests/cross/%_test.c $(CROSS_WITH) $(EMMA_MALLOC_O) $(wildcard tests/storm/*.h) include/emma_heap.h
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(CROSS_CFLAGS) -o $@ $(filter %.c %.o,$^)
