#!/bin/sh
# startup.t: what a process pays for emma before it allocates: at most 200 KiB of resident memory more than with glibc's own
# malloc, preloaded or linked statically. Medians of nine runs. Environment: LIMITS_OUT, EMMA_MALLOC.
set -eu
most=200
count=0
failed=0

median() {
    for _ in 1 2 3 4 5 6 7 8 9; do "$@" || echo failed; done | sort -n | sed -n 5p
}

compare() { # DESCRIPTION, KiB on glibc, KiB on emma
    count=$((count + 1))
    case $2$3 in
    '' | *[!0-9]*) echo "not ok $count - $1: no figures"; failed=1; return ;;
    esac
    echo "# $1: $2 KiB on glibc, $3 KiB on emma"
    if [ $(($3 - $2)) -le $most ]; then
        echo "ok $count - $1: at most $most KiB more"
    else
        echo "not ok $count - $1: $(($3 - $2)) KiB more; at most $most"
        failed=1
    fi
}

compare "preloaded" "$(median "$LIMITS_OUT/nothing")" "$(median env LD_PRELOAD="$EMMA_MALLOC" "$LIMITS_OUT/nothing")"
compare "static" "$(median "$LIMITS_OUT/nothing_glibc")" "$(median "$LIMITS_OUT/nothing_emma")"
echo "1..$count"
exit $failed
