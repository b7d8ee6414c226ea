# model.mk: `make test-model`, `make test-model-torture`. Included by the top Makefile.
# Linked with the core's own objects, so that the test sees the heap's structures.

MODEL_OUT     := $(BUILD)/tests/model
MODEL_CFLAGS  := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Wall -Wextra -Werror -fno-builtin -pthread $(VARIANT)
MODEL_SOURCES := $(wildcard tests/model/*.c) tests/storm/storm.c

.PHONY: test-model test-model-torture
test-model: $(MODEL_OUT)/model_test
	tools/need.sh perl
	prove --timer --exec '' $<

test-model-torture:
	$(MAKE) --no-print-directory BUILD=build/torture VARIANT=-DEMMA_TORTURE=1 test-model

$(MODEL_OUT)/model_test: $(MODEL_SOURCES) $(CORE_OBJECTS) $(wildcard tests/model/*.h tests/storm/storm.h)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(MODEL_CFLAGS) -o $@ $(filter %.c %.o,$^)
