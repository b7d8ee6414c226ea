# check.mk: `make check`, every rule that a program can check, and `make format`. Included by the top Makefile, which
# makes the libraries.
#
#   make check                all rules that a program can check; check-STAGE for one
#   make format               as .clang-format says
CHECK_LIBRARIES ?= build/libemma.a build/libemma.so build/libemma-malloc.so
CHECK_STAGES := format-check compile headers rules built tidy cppcheck shell selftest

# Two jobs unless the caller said how many; all violations, not only the first.
check_make = +@$(MAKE) --no-print-directory -k -Otarget $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2) \
	-f tools/check/stages.mk

.PHONY: check format $(CHECK_STAGES:%=check-%)
check: $(CHECK_LIBRARIES)
	$(check_make) $(CHECK_STAGES)

check-built: $(CHECK_LIBRARIES)
$(CHECK_STAGES:%=check-%): check-%:
	$(check_make) $*

format:
	$(check_make) format
