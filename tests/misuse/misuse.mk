# misuse.mk: `make test-misuse`. Included by the top Makefile. Twice: emma_ functions linked, malloc and free preloaded.
#
#   make test-misuse          program errors end in one line

MISUSE_OUT     := $(BUILD)/tests/misuse
MISUSE_CFLAGS  := -std=c11 -D_GNU_SOURCE -Iinclude -O1 -g -Wall -Wextra -fno-builtin -pthread
MISUSE_SOURCES := $(wildcard tests/misuse/*.c) tests/storm/storm.c
MISUSE_HEADERS := tests/misuse/misuse.h tests/storm/storm.h include/emma.h

.PHONY: test-misuse
test-misuse: $(MISUSE_OUT)/linked $(MISUSE_OUT)/preloaded $(EMMA_MALLOC_SO)
	tools/need.sh perl
	prove --timer --exec '' $(MISUSE_OUT)/linked
	prove --timer --exec 'env LD_PRELOAD=$(abspath $(EMMA_MALLOC_SO))' $(MISUSE_OUT)/preloaded

$(MISUSE_OUT)/linked: $(MISUSE_SOURCES) $(MISUSE_HEADERS) $(EMMA_A)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(MISUSE_CFLAGS) -o $@ $(filter %.c %.a,$^)

$(MISUSE_OUT)/preloaded: $(MISUSE_SOURCES) $(MISUSE_HEADERS)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(MISUSE_CFLAGS) -DSTORM_DROP_IN=1 -Wl,-z,dynamic-undefined-weak -o $@ $(filter %.c,$^)
