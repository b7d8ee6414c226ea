# fault.mk: `make test-fault`. Included by the top Makefile. The core is built for it with -DEMMA_FAULT=1, into a folder
# of its own.
#
#   make test-fault           every system call made to fail

FAULT_BUILD   := build/fault
FAULT_CFLAGS  := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Wall -Wextra -fno-builtin -pthread
FAULT_COMMON  := tests/fault/fault_plan.c tests/storm/storm.c
FAULT_TESTS   := $(addprefix $(FAULT_BUILD)/tests/,fault_heap_test fault_test fault_error_test)

.PHONY: test-fault
test-fault:
	tools/need.sh perl
	$(MAKE) --no-print-directory BUILD=$(FAULT_BUILD) VARIANT=-DEMMA_FAULT=1 $(FAULT_TESTS)
	prove --jobs 2 --timer --exec '' $(FAULT_TESTS)

$(FAULT_BUILD)/tests/fault_test $(FAULT_BUILD)/tests/fault_error_test: tests/fault/fault_script.c

$(FAULT_BUILD)/tests/%_test: tests/fault/%_test.c $(FAULT_COMMON) $(CORE_OBJECTS) $(wildcard tests/fault/*.h tests/storm/storm.h)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(FAULT_CFLAGS) $(VARIANT) -o $@ $(filter %.c %.o,$^)
