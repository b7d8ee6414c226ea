# heaps.mk: `make test-heaps`: heaps that are made. Included by the top Makefile. HEAPS_TESTS="limit_test" for some of them.
#
# Linked with the core's own objects, so that the tests see the heaps' structures; libc lives on its own malloc.
#
#   make test-heaps           heaps that are made: limits, handlers, accounts, thousands of them

HEAPS_OUT     := $(BUILD)/tests/heaps
HEAPS_CFLAGS  := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Wall -Wextra -Werror -fno-builtin -pthread $(VARIANT)
HEAPS_WITH    := tests/heaps/heap_work.c tests/storm/storm.c
HEAPS_HEADERS := $(wildcard tests/heaps/*.h) tests/storm/storm.h tests/unit/unit.h include/emma.h include/emma_heap.h

# The longest first.
HEAPS_TESTS ?= number_test heap_storm_test account_test limit_test beside_test session_test heap_cpu_storm_test \
    object_test part_test look_test handler_test misuse_test collect_test together_test

.PHONY: test-heaps
test-heaps: $(HEAPS_TESTS:%=$(HEAPS_OUT)/%)
	tools/need.sh perl
	prove --jobs 2 --timer --exec '' $^

# With the census of the unit tests.
$(HEAPS_OUT)/heap_cpu_storm_test: tests/heaps/stamped.c tests/unit/census.c tests/unit/unit.c
$(HEAPS_OUT)/account_test: tests/unit/census.c tests/unit/unit.c
$(HEAPS_OUT)/collect_test: tests/unit/census.c tests/unit/unit.c

$(HEAPS_OUT)/%_test: tests/heaps/%_test.c $(HEAPS_WITH) $(CORE_OBJECTS) $(HEAPS_HEADERS)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(HEAPS_CFLAGS) -o $@ $(filter %.c %.o,$^)
