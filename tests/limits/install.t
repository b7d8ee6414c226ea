#!/bin/sh
# install.t: what `make install` puts below a prefix is enough for a program in C and in C++, under emma's names and under
# others (PREFIX_SYM), and for one with the drop-in: headers, libraries, pkg-config files. Environment: LIMITS_OUT,
# LIMITS_BUILD.
set -u
tools/need.sh g++ pkgconf
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

# A program in which libc, or C++'s library, allocates, and which needs no library for that: NAME_owns is looked up.
unaware() { # STEM
    sed "s/NAME/$1/g" <<'EOF'
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <string.h>
#ifdef __cplusplus
#include <string>
static const std::string made(100, 'x');
#define IS_OWN(owns) (owns(strdup("a text")) == 1 && owns(made.data()) == 1)
#else
#define IS_OWN(owns) (owns(strdup("a text")) == 1)
#endif
int main(void) {
    int (*owns)(const void *);
    *(void **)&owns = dlsym(RTLD_DEFAULT, "NAME_owns");
    return !(owns != 0 && IS_OWN(owns));
}
EOF
}

# What a pkg-config file says, with the folder of the installation before it.
flags() { # STEM, LIBRARY, OPTION...
    from=$to/$1
    library=$2
    shift 2
    env PKG_CONFIG_LIBDIR="$from/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$from" PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
        PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config "$@" "$library"
}

runs() { # STEM, LIBRARY, SOURCE, COMPILER...
    stem=$1
    library=$2
    source=$3
    shift 3
    # Debian's linker takes libraries as they come, others by need. A list of words is meant.
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Wpedantic -Werror -Wl,--as-needed $(flags "$stem" "$library" --cflags) "$source" -x none \
        $(flags "$stem" "$library" --libs) -o "$to/program" && LD_LIBRARY_PATH=$to/$stem/usr/lib "$to/program"
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
    unaware $stem >"$to/$stem-unaware.c"
    ok "$stem: make install" installed $stem "$build"
    for language in "C ${CC:-gcc} -std=c11" "C++ ${CXX:-g++} -std=c++17 -x c++"; do
        # shellcheck disable=SC2086  # a list of words is meant
        ok "$stem: a ${language%% *} program" runs $stem lib$stem "$to/$stem.c" ${language#* }
        # shellcheck disable=SC2086
        ok "$stem: the drop-in under a ${language%% *} program" runs $stem lib$stem-malloc "$to/$stem-unaware.c" ${language#* }
    done
done
ok "foo: the headers have no other names" names_only foo
ok "the bare allocators, without another prefix" bare
ok "a prefix without an underscore is refused" refuses bar
echo "1..$count"
