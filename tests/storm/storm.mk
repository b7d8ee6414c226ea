# storm.mk: `make test-storm` and `make test-sanitize`. Included by the top Makefile.
#
# Most storms are linked with the drop-in, so that libc itself lives on emma. `core`: with the core alone, as a program
# that embeds emma; `made`: the same with heaps that are made. STORM_TESTS="fork_storm" for some of them.
#
#   make test-storm           threads, signals, forks, stops, idling; EMMA_TEST_LONG=1 for more
#   make test-sanitize        what sanitizers can follow; test-tsan, test-asan for one

STORM_OUT    := $(BUILD)/tests/storm
STORM_CFLAGS := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -Wall -Wextra -fno-builtin -pthread $(VARIANT)
STORM_COMMON := tests/storm/storm.c tests/storm/storm_work.c
STORM_HEADERS := $(wildcard tests/storm/*.h) include/emma.h

# The longest first. Three at once: none of them measures time but in multiples, and the first mostly sleeps.
STORM_TESTS := idle_storm fork_storm step_storm signal_storm thread_storm core/thread_storm made/fork_storm stop_storm \
    made/signal_storm made/step_storm race_storm core/cpu_storm core/visit_storm load_storm
# Not thread_storm: ThreadSanitizer cannot know that a thread is gone because the system does not know its id.
STORM_TSAN_TESTS := tests/model/model_test tests/heaps/heap_storm_test tests/heaps/limit_test
STORM_ASAN_TESTS := tests/heaps/heap_storm_test tests/storm/core/signal_storm tests/heaps/session_test \
    tests/heaps/object_test tests/model/model_test tests/storm/core/thread_storm tests/storm/core/stop_storm

.PHONY: test-storm test-sanitize test-tsan test-asan
test-storm: $(STORM_TESTS:%=$(STORM_OUT)/%)
	tools/need.sh perl
	prove --jobs 3 --timer --exec '' $^

test-sanitize: test-tsan test-asan

test-tsan:
	tools/need.sh perl
	$(MAKE) --no-print-directory BUILD=build/tsan CFLAGS="-O1 -g -fsanitize=thread" $(STORM_TSAN_TESTS:%=build/tsan/%)
	prove --jobs 2 --timer --exec '' $(STORM_TSAN_TESTS:%=build/tsan/%)

# UndefinedBehaviorSanitizer with it: a finding ends the case.
test-asan:
	tools/need.sh perl
	$(MAKE) --no-print-directory BUILD=build/asan \
	    CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
	    $(STORM_ASAN_TESTS:%=build/asan/%)
	prove --jobs 2 --timer --exec '' $(STORM_ASAN_TESTS:%=build/asan/%)

$(STORM_OUT)/%_storm: tests/storm/%_storm.c $(STORM_COMMON) $(CORE_OBJECTS) $(OVERRIDE_OBJECTS) $(STORM_HEADERS)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(STORM_CFLAGS) -DSTORM_DROP_IN=1 -Wl,-z,now -o $@ $(filter %.c %.o,$^)

$(STORM_OUT)/core/%_storm: tests/storm/%_storm.c $(STORM_COMMON) $(CORE_OBJECTS) $(STORM_HEADERS)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(STORM_CFLAGS) -o $@ $(filter %.c %.o,$^)

$(STORM_OUT)/made/%_storm: tests/storm/%_storm.c tests/storm/storm_made.c $(STORM_COMMON) $(CORE_OBJECTS) $(STORM_HEADERS)
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(STORM_CFLAGS) -DSTORM_MADE=1 -o $@ $(filter %.c %.o,$^)

# These look at the caches themselves; one takes the census of the unit tests.
$(STORM_OUT)/core/cpu_storm: tests/storm/cpu_storm.c tests/storm/storm.c tests/unit/unit.c tests/unit/census.c \
    $(CORE_OBJECTS) $(STORM_HEADERS) tests/unit/unit.h
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) $(STORM_CFLAGS) -o $@ $(filter %.c %.o,$^)

# This one uses libc's malloc; the plugin brings libemma.so with it, which then stays.
$(STORM_OUT)/load_storm: tests/storm/load_storm.c tests/storm/storm.c $(STORM_HEADERS) $(STORM_OUT)/load_storm_plugin.so
	$(CC) $(CFLAGS) $(STORM_CFLAGS) -o $@ $(filter %.c,$^)

$(STORM_OUT)/load_storm_plugin.so: tests/storm/plugin/load_storm_plugin.c $(BUILD)/libemma.so
	mkdir -p $(@D) && echo "  cc    $@"
	$(CC) $(CFLAGS) -std=c11 -Iinclude -Wall -Wextra -fPIC -fvisibility=hidden -shared \
	    -Wl,-rpath,'$$ORIGIN' -o $@ $^
	ln -sf $(abspath $(BUILD)/libemma.so) $(@D)/libemma.so.0
