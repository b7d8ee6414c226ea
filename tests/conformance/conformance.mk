# conformance.mk: included by the top Makefile, which defines EMMA_MALLOC_SO and EMMA_MALLOC_A.
# Options: make conformance CONFORMANCE_ARGS="--allocators emma,glibc 'glibc/*'"
#
#   make conformance          foreign suites; CONFORMANCE_ARGS="--allocators emma,glibc 'glibc/*'"

.PHONY: conformance
conformance: $(EMMA_MALLOC_SO) $(EMMA_MALLOC_A)
	tools/need.sh python3
	/usr/bin/python3 -B tests/conformance/conformance.py --emma-shared $(EMMA_MALLOC_SO) \
	    --emma-archive $(EMMA_MALLOC_A) $(CONFORMANCE_ARGS)
