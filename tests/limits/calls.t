#!/bin/sh
# calls.t: the system calls that docs/SYSCALLS.md names are those that the source makes: each EMMA_SYS_ name that is used
# in src/plat/linux, and that each architecture's header defines. Run from the top of the repository.
set -eu
doc=docs/SYSCALLS.md
plat=src/plat/linux
count=0
failed=0

same() { # DESCRIPTION, two lists of words
    count=$((count + 1))
    if [ -n "$2" ] && [ "$2" = "$3" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf '%s\n' "$2" "--" "$3" | tr '\n' ' ' | sed 's/^/# /'
        echo
        failed=1
    fi
}

# shellcheck disable=SC2016  # a backquote is meant
named=$(sed -n 's/^| `\([a-z0-9_]*\)`.*/\1/p' $doc | sort -u)
used=$(sed '/^ *EMMA_SYS_[a-z0-9_]* = /d' $plat/*.c $plat/*.h | grep -o 'EMMA_SYS_[a-z0-9_]*' | sed 's/EMMA_SYS_//' | sort -u)
same "docs/SYSCALLS.md names the calls that the source makes" "$named" "$used"

for header in "$plat"/syscall_*.h; do
    grep -q 'EMMA_SYS_mmap =' "$header" || continue # the numbers are in another
    defined=$(sed -n 's/^ *EMMA_SYS_\([a-z0-9_]*\) = .*/\1/p' "$header" | sort -u)
    same "$(basename "$header") defines the same calls" "$named" "$defined"
done

elsewhere=$(grep -rlE 'EMMA_SYS_|\bsyscall\(' src --include='*.c' --include='*.h' | grep -v "^$plat/" | sort || true)
same "no other folder makes system calls, but for malloc_stats" "$elsewhere" src/override/glibc.c

echo "1..$count"
exit $failed
