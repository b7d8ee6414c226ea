# examples.mk: what a heap of one's own is good for. Included by the top Makefile.
#
#   make demo-heaps       a thousand Lua states, each in its own limited heap; SQLite in a limited heap
#   make test-examples    the examples of heaps with less work, what they print checked

EXAMPLES_OUT   := $(BUILD)/examples
EXAMPLES_FLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wpedantic -Iinclude -pthread
EXAMPLES       := $(EXAMPLES_OUT)/tenants $(EXAMPLES_OUT)/sqlite

$(EXAMPLES_OUT)/tenants: EXAMPLES_LIBS := -llua5.4
$(EXAMPLES_OUT)/sqlite: EXAMPLES_LIBS := -lsqlite3
$(EXAMPLES_OUT)/tenants: examples/tenants/tenants.c
$(EXAMPLES_OUT)/sqlite: examples/sqlite/sqlite.c
$(EXAMPLES): include/emma.h include/emma_heap.h $(EMMA_A)
	tools/need.sh liblua5.4-dev libsqlite3-dev
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(EXAMPLES_FLAGS) -o $@ $(filter %.c,$^) $(EMMA_A) $(EXAMPLES_LIBS)

.PHONY: demo-heaps test-examples
demo-heaps: $(EXAMPLES)
	echo "--- a thousand Lua states, each in its own heap of 1 MiB"
	$(EXAMPLES_OUT)/tenants examples/tenants/bill.lua examples/tenants/greedy.lua
	echo "--- SQLite in a heap of 16 MiB"
	$(EXAMPLES_OUT)/sqlite

test-examples: $(EXAMPLES)
	tools/need.sh perl
	EXAMPLES_OUT=$(EXAMPLES_OUT) prove --timer --exec sh tests/examples/heaps.t
