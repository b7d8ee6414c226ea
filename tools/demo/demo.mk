# demo.mk: `make demo`: three real programs on glibc's malloc and on emma, side by side. Included by the top Makefile.
#
#   make demo                 three real programs on libc's malloc and on emma, side by side

.PHONY: demo
demo: $(EMMA_MALLOC_SO)
	tools/need.sh python3 lua5.4 sqlite3
	/usr/bin/python3 -B tools/demo/demo.py $(abspath $(EMMA_MALLOC_SO))
