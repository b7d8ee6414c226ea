#!/bin/sh
# install.t: what `make install` puts below a prefix is enough for a program in C and in C++, under emma's names and under
# others (PREFIX_SYM): headers, libraries, pkg-config files. Environment: LIMITS_OUT, LIMITS_BUILD.
set -u
to=$LIMITS_OUT/install
count=0

ok() { # DESCRIPTION, COMMAND...
    count=$((count + 1))
    what=$1
    shift
    if "$@" >"$to/log" 2>&1; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        tail -n 20 "$to/log" | sed 's/^/# /'
    fi
}

program() { # STEM: a program that uses each header that is installed
    sed "s/NAME/$1/g" <<'EOF'
#include <NAME_heap.h>
#include <NAME.h>
int main(void) {
    NAME_heap *heap = NAME_heap_create(0);
    void *block = NAME_heap_malloc(heap, 100);
    int is_own = NAME_heap_of(block) == heap && NAME_usable_size(block) >= 100;
    NAME_heap_destroy(heap);
    return !is_own;
}
EOF
}

installed() { # STEM, BUILD
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory install BUILD="$2" PREFIX_SYM="$1_" PREFIX=/usr \
        DESTDIR="$to/$1"
}

# The word that a pkg-config file says after NAME:, with the folder of the installation before it.
flags() { # STEM, NAME
    sed -n "s/^$2: *//p" "$to/$1/usr/lib/pkgconfig/lib$1.pc" | sed "s,\${\(lib\|include\)dir},$to/$1/usr/\1,g"
}

runs() { # STEM, COMPILER...
    stem=$1
    shift
    # shellcheck disable=SC2046  # a list of words is meant
    "$@" -Wall -Wextra -Wpedantic -Werror $(flags "$stem" Cflags) "$to/$stem.c" -x none $(flags "$stem" Libs) -o "$to/program" &&
        LD_LIBRARY_PATH=$to/$stem/usr/lib "$to/program"
}

names_only() { # STEM: no name of emma's own is left in the headers, nor of its libraries; prose may speak of it
    ! grep -En '\b(emma|EMMA)_|\blibemma\b' "$to/$1"/usr/include/*
}

bare() {
    printf '#include <emma_bare.h>\nint main(void) { return sizeof(emma_fit) == 0; }\n' >"$to/bare.c"
    "${CC:-gcc}" -std=c11 -I"$to/emma/usr/include" "$to/bare.c" "$to/emma/usr/lib/libemma-bare.a" -o "$to/program" &&
        "$to/program" && test -e "$to/emma/usr/lib/pkgconfig/libemma-bare.pc" && ! test -e "$to/foo/usr/include/emma_bare.h"
}

# A prefix that would run into the names.
refuses() {
    ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -n PREFIX_SYM="$1" 2>"$to/said" && grep -q 'PREFIX_SYM' "$to/said"
}

rm -rf "$to"
mkdir -p "$to"
for stem in emma foo; do
    build=$LIMITS_BUILD
    [ $stem = emma ] || build=$LIMITS_BUILD/$stem
    program $stem >"$to/$stem.c"
    ok "$stem: make install" installed $stem "$build"
    ok "$stem: a C program" runs $stem "${CC:-gcc}" -std=c11
    ok "$stem: a C++ program" runs $stem "${CXX:-g++}" -std=c++17 -x c++
done
ok "foo: the headers have no other names" names_only foo
ok "the bare allocators, without another prefix" bare
ok "a prefix without an underscore is refused" refuses bar
echo "1..$count"
