# programs.mk: included by the top Makefile, which defines EMMA_MALLOC_SO. EMMA_TEST_QUICK=1 for less work.
# python.t takes longest and starts first.
#
#   make test-programs        unmodified programs, their output compared

EMMA_PROGRAM_TESTS := tests/programs/python.t $(filter-out %/python.t,$(wildcard tests/programs/*.t))

.PHONY: test-programs
test-programs: $(EMMA_MALLOC_SO)
	tools/need.sh perl
	EMMA_MALLOC=$(abspath $(EMMA_MALLOC_SO)) prove --jobs 3 --timer --exec sh $(EMMA_PROGRAM_TESTS)
