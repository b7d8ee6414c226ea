#!/bin/sh
# objects.sh: what can be said of the bare allocators' objects without running them. TAP.
#
#   - they call nothing but each other: no libc, no library of the compiler's
#   - they have no data that can change: no global variables
#   - emma_bare.h compiles alone, as C11 and as C++17
#
# For every compiler and machine that the tests use, at -O2 and -Os.
set -eu
cd "$(dirname "$0")/../.."
tools/need.sh gcc g++ clang lld llvm gcc-arm-none-eabi gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu gcc-s390x-linux-gnu \
    gcc-i686-linux-gnu
out=build/bare/objects
mkdir -p "$out"
number=0
failed=0

result() {
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        echo "$2" | sed 's/^/# /'
        failed=1
    fi
}

while read -r name compiler; do
    for level in -O2 -Os; do
        for source in src/bare/*.c; do
            # shellcheck disable=SC2086  # a list of words is meant
            $compiler $level -std=c11 -ffreestanding -fno-stack-protector -fno-pic -Isrc -Iinclude -c \
                -o "$out/$(basename "$source" .c).o" "$source"
        done
        # Undefined and not emma's; or defined in a section that is written.
        found=$(llvm-nm "$out"/*.o | awk 'NF == 2 && $1 == "U" && $2 !~ /^emma_/ && $2 != "__stack_pointer" &&
            $2 != "__linear_memory" && $2 != "__indirect_function_table" || NF == 3 && $2 ~ /^[bBdDcC]$/' | sort -u)
        result "$name $level: nothing called, nothing global" "$found"
    done
done <<EOL
x86_64 gcc
x86_64-clang clang
i686 i686-linux-gnu-gcc
aarch64 aarch64-linux-gnu-gcc
riscv64 riscv64-linux-gnu-gcc
s390x s390x-linux-gnu-gcc
cortex-m3 arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb
cortex-m3-clang clang --target=thumbv7m-none-eabi
wasm32 clang --target=wasm32
EOL

for compiler in "gcc -x c -std=c11" "clang -x c -std=c11" "g++ -x c++ -std=c++17" "clang++ -x c++ -std=c++17"; do
    # shellcheck disable=SC2086
    found=$($compiler -Wall -Wextra -Wpedantic -Werror -fsyntax-only include/emma_bare.h 2>&1) || true
    result "the header alone: $compiler" "$found"
done
echo "1..$number"
exit $failed
