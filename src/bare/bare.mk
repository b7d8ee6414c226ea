# bare.mk: the bare allocators as a library, and their demonstration. Included by the top Makefile.
#
#   make bare        bare/libemma-bare.a in BUILD, for CC; BARE_CFLAGS has the choices of src/bare/README.md
#   make bare-size   text of each allocator on Thumb-2, against its bound
#   make demo-bare   a kernel-like program on a riscv64 board without an operating system

BARE_CFLAGS ?= -O2
BARE_ARCHIVE := $(BUILD)/bare/libemma-bare.a
BARE_OBJ     := $(BUILD)/bare/obj
BARE_OBJECTS := $(patsubst src/bare/%.c,$(BARE_OBJ)/%.o,$(wildcard src/bare/*.c))

.PHONY: bare bare-size demo-bare
bare: $(BARE_ARCHIVE)

$(BARE_OBJ)/%.o: src/bare/%.c
	mkdir -p $(@D) && echo "  cc    $<"
	$(CC) -std=c11 -ffreestanding -ffunction-sections $(BARE_CFLAGS) -Isrc -Iinclude -MMD -MP -c -o $@ $<

-include $(BARE_OBJECTS:.o=.d)

$(BARE_ARCHIVE): $(BARE_OBJECTS)
	echo "  ar    $@" && rm -f $@
	$(AR) crs $@ $^

bare-size:
	tests/bare/size.sh

# The board is written down once, in examples/bare: what a kernel needs to begin.
BARE_DEMO := build/bare/kernel
$(BARE_DEMO): $(wildcard examples/bare/*) $(wildcard src/bare/*.[ch]) include/emma_bare.h
	tools/need.sh gcc-riscv64-linux-gnu qemu-system-misc
	mkdir -p $(@D) && echo "  cc    $@"
	riscv64-linux-gnu-gcc -std=c11 -march=rv64imac_zicsr -mabi=lp64 -mcmodel=medany -O2 -ffreestanding -nostdlib -static \
	    -fno-stack-protector -Wall -Wextra -Wl,--build-id=none,--no-warn-rwx-segments -T examples/bare/kernel.ld -Isrc -Iinclude \
	    -o $@ $(filter %.c %.S,$^)

# The kernel ends the emulator; what it printed is compared with what it must print.
demo-bare: $(BARE_DEMO)
	timeout 60 qemu-system-riscv64 -M virt -smp 4 -m 64M -bios none -display none -monitor none -serial stdio \
	    -kernel $< | tee build/bare/kernel.out
	diff examples/bare/expected.txt build/bare/kernel.out && echo "as expected"
