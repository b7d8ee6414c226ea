#!/bin/sh
# run.sh: run a test program of the bare allocators on the machine that its name says.
#
#   tests/bare/run.sh build/bare/tests/MACHINE[-VARIANT]
#
# Programs on boards end the emulator themselves; a minute without an end is a failure.
set -eu
program=$1
here=$(dirname "$0")
name=$(basename "$program")
icount=
case $name in
    cortex-m3-cost) icount="-icount shift=10" ;; # mps2.c says why
    virt-cost) icount="-icount shift=0" ;;
esac
# shellcheck disable=SC2086  # $icount is no word or two
case $name in
    aarch64*) exec qemu-aarch64 "$program" ;;
    riscv64*) exec qemu-riscv64 "$program" ;;
    s390x*) exec qemu-s390x "$program" ;;
    wasm32*) exec node "$here/port/wasm_run.mjs" "$program" ;;
    cortex-m3*) exec timeout 120 qemu-system-arm -M mps2-an385 -display none -monitor none -serial stdio \
        -semihosting-config enable=on,target=native $icount -kernel "$program" ;;
    virt*) exec timeout 120 qemu-system-riscv64 -M virt -smp 4 -m 64M -bios none -display none -monitor none \
        -serial stdio $icount -kernel "$program" ;;
    replay) exec "$program" "$here"/../../fuzz/bare/corpus/* ;;
    *) exec "$program" ;;
esac
