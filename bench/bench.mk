# bench.mk: the bench. Included by the top Makefile; the library measured is $(EMMA_MALLOC_SO).
#
#   make bench                     RIVALS="name=/path/lib.so name2=…" BENCH_ARGS="--quick --only 'churn*'"
#   make bench-heaps               heaps that are made and destroyed; RIVALS="mimalloc=/path/lib.so@3.4 jemalloc=…"
#   make bench-programs-built      build the workloads only
#   make bench-gate                instructions per operation against bench/instructions.json
#   make bench-gate-update         write them anew
EMMA_MALLOC_SO ?= build/libemma-malloc.so
BENCH_BUILD    := build/bench
BENCH_CC       ?= $(CC)
BENCH_FLAGS    := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
                  -Wmissing-prototypes $(addprefix -fno-builtin-,malloc free calloc realloc posix_memalign) \
                  -pthread

BENCH_WORKLOADS := $(patsubst bench/workloads/%.c,$(BENCH_BUILD)/%,$(wildcard bench/workloads/*.c))
BENCH_PROGRAMS  := $(BENCH_WORKLOADS) $(BENCH_BUILD)/measure $(BENCH_BUILD)/strokes

.PHONY: bench bench-heaps bench-gate bench-gate-update bench-programs-built

$(BENCH_BUILD)/%: bench/workloads/%.c bench/workloads/work.h
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_FLAGS) -o $@ $<

$(BENCH_BUILD)/measure: bench/runner/measure.c
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_FLAGS) -static -o $@ $<

$(BENCH_BUILD)/strokes: bench/gate/strokes.c include/emma_heap.h
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_FLAGS) -Iinclude -o $@ $< -ldl

$(BENCH_BUILD)/heaps: $(wildcard bench/heaps/*.[ch]) bench/workloads/work.h include/emma_heap.h
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_FLAGS) -Iinclude -o $@ $(filter %.c,$^) -ldl

bench-programs-built: $(BENCH_PROGRAMS)

bench: $(EMMA_MALLOC_SO) $(BENCH_PROGRAMS)
	bench/bench.py --emma $(EMMA_MALLOC_SO) $(foreach rival,$(RIVALS),--rival $(rival)) $(BENCH_ARGS)

bench-heaps: $(EMMA_SO) $(BENCH_BUILD)/heaps
	bench/heaps/heaps.py --program $(BENCH_BUILD)/heaps --emma $(EMMA_SO) $(foreach rival,$(RIVALS),--rival $(rival)) $(BENCH_ARGS)

bench-gate: $(EMMA_MALLOC_SO) $(BENCH_BUILD)/strokes
	bench/gate/gate.py --library $(EMMA_MALLOC_SO) $(GATE_ARGS)

bench-gate-update: $(EMMA_MALLOC_SO) $(BENCH_BUILD)/strokes
	bench/gate/gate.py --library $(EMMA_MALLOC_SO) --update $(GATE_ARGS)
