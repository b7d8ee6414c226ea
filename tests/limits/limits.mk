# limits.mk: `make test-limits`. Included by the top Makefile. EMMA_TEST_MACHINE=0: nothing that concerns the whole machine.
#
#   make test-limits          address-space limits, overcommit, filters, two copies in one process

LIMITS_OUT    := $(BUILD)/tests/limits
LIMITS_CFLAGS := -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -O1 -g -Wall -Wextra -fno-builtin -pthread
LIMITS_CXX    := $(CXX) -std=c++17 -O1 -g -Wall -Wextra -Wno-alloc-size-larger-than -fno-builtin -pthread
LIMITS_WITH   := tests/storm/storm.c tests/limits/limits.c
LIMITS_NEEDS  := $(LIMITS_WITH) tests/storm/storm.h tests/limits/limits.h include/emma.h
LIMITS_FOO    := $(BUILD)/foo/libfoo.a
LIMITS_WRAPS  := $(foreach name,page_bytes map_at map unmap purge wipe_on_fork resize move_pages,-Wl,--wrap=emma__plat_$(name))

# Linked with emma; run with the drop-in preloaded; other tests.
LIMITS_LINKED    := $(addprefix $(LIMITS_OUT)/,pages_test filter_test cgroup_test copies_test static_a static_o operators_a operators_o \
    surface_a surface_o surface_so unasked_linked)
LIMITS_PRELOADED := $(addprefix $(LIMITS_OUT)/,behaviour_test surface_test unasked_test space_test maps_test beside_test operators_test)
LIMITS_STARTUP   := $(addprefix $(LIMITS_OUT)/,nothing nothing_glibc nothing_emma)

.PHONY: test-limits
test-limits: $(LIMITS_LINKED) $(LIMITS_PRELOADED) $(LIMITS_STARTUP) $(EMMA_MALLOC_SO)
	tools/need.sh perl
	status=0; \
	prove --timer --exec '' $(LIMITS_LINKED) || status=1; \
	prove --timer --exec 'env LD_PRELOAD=$(abspath $(EMMA_MALLOC_SO))' $(LIMITS_PRELOADED) || status=1; \
	LIMITS_BUILD='$(BUILD)' LIMITS_OUT=$(abspath $(LIMITS_OUT)) EMMA_MALLOC=$(abspath $(EMMA_MALLOC_SO)) \
	    prove --timer --exec sh tests/limits/calls.t tests/limits/startup.t tests/limits/limit.t tests/limits/install.t || status=1; \
	exit $$status

limits_cc = mkdir -p $(@D) && echo "  cc    $@" && $(CC) $(LIMITS_CFLAGS)

$(LIMITS_OUT)/%_test: tests/limits/%_test.c $(LIMITS_NEEDS)
	$(limits_cc) -DSTORM_DROP_IN=1 -Wl,-z,dynamic-undefined-weak -o $@ $(filter %.c,$^)

$(LIMITS_OUT)/filter_test: tests/limits/filter_test.c $(LIMITS_NEEDS) $(EMMA_A)
	$(limits_cc) -o $@ $(filter %.c %.a,$^)

$(LIMITS_OUT)/unasked_linked: tests/limits/unasked_test.c $(LIMITS_NEEDS) $(EMMA_A)
	$(limits_cc) -o $@ $(filter %.c %.a,$^)

$(LIMITS_OUT)/beside_test: tests/limits/beside_test.c $(LIMITS_NEEDS) $(EMMA_A)
	$(limits_cc) -rdynamic -o $@ $(filter %.c %.a,$^)

$(LIMITS_OUT)/pages_test: tests/limits/pages_test.c $(LIMITS_NEEDS) $(CORE_OBJECTS)
	$(limits_cc) $(LIMITS_WRAPS) -o $@ $(filter %.c %.o,$^)

$(LIMITS_OUT)/cgroup_test: tests/limits/cgroup_test.c $(LIMITS_NEEDS) $(CORE_OBJECTS)
	$(limits_cc) -Wl,--wrap=emma__plat_read_file -o $@ $(filter %.c %.o,$^)

$(LIMITS_OUT)/copies_test: tests/limits/copies_test.c $(LIMITS_NEEDS) $(EMMA_A) $(LIMITS_FOO)
	$(limits_cc) -o $@ $(filter %.c %.a,$^)

$(LIMITS_FOO): $(CORE_SOURCES) $(wildcard src/*/*.h)
	$(MAKE) --no-print-directory PREFIX_SYM=foo_ BUILD=$(BUILD)/foo $@

$(LIMITS_OUT)/static_%: tests/limits/static_test.c $(LIMITS_NEEDS) $(EMMA_MALLOC_A) $(EMMA_MALLOC_O)
	$(limits_cc) -static -o $@ $(filter %.c,$^) $(EMMA_MALLOC_A:.a=.$*)

$(LIMITS_OUT)/surface_so: tests/limits/surface_test.c $(LIMITS_NEEDS) $(EMMA_MALLOC_SO)
	$(limits_cc) -o $@ $(filter %.c,$^) -Wl,-rpath,$(abspath $(BUILD)) $(EMMA_MALLOC_SO)

$(addprefix $(LIMITS_OUT)/surface_,a o): $(LIMITS_OUT)/surface_%: tests/limits/surface_test.c $(LIMITS_NEEDS) $(EMMA_MALLOC_A) $(EMMA_MALLOC_O)
	$(limits_cc) -static -o $@ $(filter %.c,$^) $(EMMA_MALLOC_A:.a=.$*)

$(LIMITS_OUT)/operators_test: tests/limits/operators_test.cc
	tools/need.sh g++ && mkdir -p $(@D) && echo "  c++   $@"
	$(LIMITS_CXX) -Wl,-z,dynamic-undefined-weak -o $@ $<

$(LIMITS_OUT)/operators_%: tests/limits/operators_test.cc $(EMMA_MALLOC_A) $(EMMA_MALLOC_O)
	tools/need.sh g++ && mkdir -p $(@D) && echo "  c++   $@"
	$(LIMITS_CXX) -DOPERATORS_STATIC -static -o $@ $< $(EMMA_MALLOC_A:.a=.$*)

$(LIMITS_OUT)/nothing: tests/limits/nothing.c
	$(limits_cc) -o $@ $<

$(LIMITS_OUT)/nothing_glibc: tests/limits/nothing.c
	$(limits_cc) -static -o $@ $<

$(LIMITS_OUT)/nothing_emma: tests/limits/nothing.c $(EMMA_MALLOC_O)
	$(limits_cc) -static -o $@ $^
