# model.mk: `make test-model`: on the usual build and on the torture build. Included by the top Makefile.
# Linked with the core's own objects, so that the test sees the heap's structures.
#
#   make test-model           random operations against a shadow map

MODEL_OUT     := $(BUILD)/tests/model
MODEL_CFLAGS  := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Wall -Wextra -fno-builtin -pthread $(VARIANT)
MODEL_SOURCES := $(wildcard tests/model/*.c) tests/storm/storm.c

.PHONY: test-model
test-model: $(MODEL_OUT)/model_test
	tools/need.sh perl
	$(MAKE) --no-print-directory BUILD=build/torture VARIANT=-DEMMA_TORTURE=1 build/torture/tests/model/model_test
	prove --jobs 2 --timer --exec '' $< build/torture/tests/model/model_test

$(MODEL_OUT)/model_test: $(MODEL_SOURCES) $(CORE_OBJECTS) $(wildcard tests/model/*.h tests/storm/storm.h)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(MODEL_CFLAGS) -o $@ $(filter %.c %.o,$^)
