# unit.mk: the unit tests. Included by the top Makefile.
#
#   make test-unit            each module, hosted
#   make test-unit-torture    the same against the torture build
#   make test-unit-sanitize   the same under AddressSanitizer with UBSan, ThreadSanitizer; library and tests instrumented
#
# Without libc and on other machines: tests/freestanding. Each variant is a make of its own with its own BUILD, so they may run at the same time. UNIT_TESTS="span_test ..." runs
# only these. Tests that need threads or libc are those named *_storm_test: hosted only.

UNIT_TESTS   ?= $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*_test.c))
UNIT_EXEC    ?=
UNIT_LDFLAGS ?= -pthread
UNIT_SHARED  := $(BUILD)/unit/unit.o $(BUILD)/unit/census.o

$(BUILD)/unit/%.o: tests/unit/%.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) $(CFLAGS) $(EMMA_CFLAGS) -D_GNU_SOURCE $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%_test: $(BUILD)/unit/%_test.o $(UNIT_SHARED) $(CORE_OBJECTS) $(UNIT_START)
	$(CC) $(CFLAGS) $(VARIANT) -o $@ $^ $(UNIT_LDFLAGS)

-include $(wildcard $(BUILD)/unit/*.d)
.SECONDARY: $(UNIT_TESTS:%=$(BUILD)/unit/%.o) $(UNIT_SHARED)

# Not for the command line: what a variant's own make does.
.PHONY: unit-run
unit-run: $(UNIT_TESTS:%=$(BUILD)/unit/%)
	prove --jobs 2 --exec '$(UNIT_EXEC)' $^

unit_make = +$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2)

.PHONY: test-unit test-unit-torture test-unit-sanitize test-unit-asan test-unit-tsan
test-unit:
	tools/need.sh perl
	$(unit_make) BUILD=build/tests/plain unit-run

test-unit-torture:
	tools/need.sh perl
	$(unit_make) BUILD=build/tests/torture VARIANT=-DEMMA_TORTURE=1 unit-run

UNIT_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_TSAN := -fsanitize=thread
test-unit-sanitize: test-unit-asan test-unit-tsan

test-unit-asan:
	tools/need.sh perl
	$(unit_make) BUILD=build/tests/asan CFLAGS='-O1 -g' VARIANT='$(UNIT_ASAN)' unit-run

# ThreadSanitizer asks for a fixed layout of the address space.
test-unit-tsan:
	tools/need.sh perl util-linux
	$(unit_make) BUILD=build/tests/tsan CFLAGS='-O1 -g' VARIANT='$(UNIT_TSAN)' UNIT_EXEC='setarch -R' unit-run
