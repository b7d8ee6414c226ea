#!/bin/sh
# size.sh: the text of each bare allocator on Thumb-2, gcc -Os, against its bound. Everything that it links is counted:
# constructors, checks, valid() and adapters. TAP; `make bare-size` shows it.
set -eu
cd "$(dirname "$0")/../.."
tools/need.sh gcc-arm-none-eabi
out=build/bare/size
mkdir -p "$out"
flags="-std=c11 -ffreestanding -mcpu=cortex-m3 -mthumb -Os -Isrc -Iinclude"
failed=0
number=0

# size NAME BOUND SOURCE...
size() {
    name=$1
    bound=$2
    shift 2
    total=0
    for source in "$@"; do
        # shellcheck disable=SC2086  # a list of words is meant
        arm-none-eabi-gcc $flags -c -o "$out/$source.o" "src/bare/$source.c"
        total=$((total + $(arm-none-eabi-size "$out/$source.o" | awk 'NR == 2 { print $1 + $2 + $3 }')))
    done
    number=$((number + 1))
    word=ok
    [ "$total" -le "$bound" ] || { word="not ok" && failed=1; }
    echo "$word $number - $name: $total bytes of text, at most $bound; no data"
}

size bump 512 bump
size slab 1024 slab
size buddy 3072 bitset buddy buddy_build buddy_add buddy_valid
size fit 4096 fit_lists fit fit_pool fit_walk
whole=$total
flags="$flags -DEMMA_BARE_CHECKS=0"
size "bump, unchecked" 500 bump
size "slab, unchecked" 900 slab
size "fit, unchecked" "$((whole - 100))" fit_lists fit fit_pool fit_walk
flags="$flags -DEMMA_BUDDY_BLOCK_BYTES=65536 -DEMMA_BUDDY_LEVELS=5"
size "buddy, folded for one geometry" 3000 bitset buddy buddy_build buddy_add buddy_valid
echo "1..$number"
exit $failed
