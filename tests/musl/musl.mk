# musl.mk: `make test-musl`: the core built by musl-gcc, programs of tests/heaps linked with it and musl's libc, static.
# Included by the top Makefile.
#
# musl registers no restartable sequences, so heaps live on the shared cache. The kernel's headers, which musl-gcc does not
# know, come after musl's own.
#
#   make test-musl            made heaps and the default heap in static programs of musl's libc

MUSL_TESTS := heap_cpu_storm_test session_test object_test look_test handler_test misuse_test
MUSL_OUT   := build/tests/musl

.PHONY: test-musl
test-musl:
	tools/need.sh musl-tools perl
	+$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2) BUILD=$(MUSL_OUT) CC=musl-gcc \
	    CFLAGS='-O1 -g -static' VARIANT='-idirafter /usr/include -idirafter /usr/include/$(shell gcc -print-multiarch)' \
	    $(MUSL_TESTS:%=$(MUSL_OUT)/tests/heaps/%)
	prove --jobs 2 --timer --exec '' $(MUSL_TESTS:%=$(MUSL_OUT)/tests/heaps/%)
