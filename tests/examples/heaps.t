#!/bin/sh
# heaps.t: the examples of heaps, with less work. Environment: EXAMPLES_OUT, where they are built.
set -u
LC_ALL=C
export LC_ALL
tenants=$EXAMPLES_OUT/tenants
sqlite=$EXAMPLES_OUT/sqlite
work=examples/tenants/bill.lua
greedy=examples/tenants/greedy.lua
out=$EXAMPLES_OUT/out
count=0

ok() { # DESCRIPTION, COMMAND...
    count=$((count + 1))
    what=$1
    shift
    if "$@" >"$out.log" 2>&1; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        cat "$out.log" "$out" | sed 's/^/# /'
    fi
}

runs() { # COMMAND...: ends well; its output goes to $out
    timeout 120 "$@" >"$out" 2>&1
}

says() { # PATTERN, of a whole line
    grep -qE "^$1\$" "$out"
}

figure() { # NAME: the number behind it, of the last line that begins so
    sed -n "s/^ *$1 *\([0-9][0-9]*\)\$/\1/p" "$out" | tail -n 1
}

within() { # LEAST, NAME, MOST
    value=$(figure "$2")
    [ -n "$value" ] && [ "$value" -ge "$1" ] && [ "$value" -le "$3" ]
}

refuses() { # STATUS, TEXT, COMMAND...: ends with the status and says the text
    status=$1
    text=$2
    shift 2
    timeout 60 "$@" >"$out" 2>&1
    [ $? -eq "$status" ] && grep -qF -- "$text" "$out"
}

# At the same place of each run one tenant is the greedy one.
ok "tenants: 60 tenants, 3 threads" runs "$tenants" --tenants 60 --threads 3 $work $greedy
ok "tenants: the greedy one is refused" says "tenant 30 \($greedy\): not enough memory"
ok "tenants: all others finish" within 59 finished 59
ok "tenants: they move between threads" within 1 "moves to another thread" 9999
ok "tenants: the greedy one had what it may have, no more" within 900 "committed by a heap: most, KiB" 1024
ok "tenants: as expected" says "as expected"
billed=$(figure "billed by all, in cents")
ok "tenants: one thread, a lower limit" runs "$tenants" --tenants 60 --threads 1 --limit 900 $work $greedy
ok "tenants: the same is billed" within "${billed:-0}" "billed by all, in cents" "${billed:-0}"
ok "tenants: nobody moves" within 0 "moves to another thread" 0
ok "tenants: nobody greedy is not as expected" refuses 1 "NOT as expected" "$tenants" --tenants 2 $work $work
ok "tenants: --help" runs "$tenants" --help
ok "tenants: wrong arguments" refuses 2 "usage: tenants" "$tenants" $work
ok "tenants: a wrong number" refuses 2 "--tenants takes a number from" "$tenants" --tenants none $work $greedy
ok "tenants: no such script" refuses 1 "cannot read nothing.lua" "$tenants" nothing.lua $greedy

ok "sqlite: a limit of 8 MiB" runs "$sqlite" --limit 8 --rows 5000
ok "sqlite: what wants more is refused" says "each three orders side by side: out of memory"
ok "sqlite: the database goes on" says "the database goes on: 100 rows more, now 5100; integrity ok"
ok "sqlite: the soft limit was seen" says "the soft limit was passed [1-9][0-9]* times?"
ok "sqlite: the limit held" awk '/^at the end/ { held = $6 <= $7 && $5 < $7 / 2 } END { exit !held }' "$out"
ok "sqlite: as expected" says "as expected"
ok "sqlite: --help" runs "$sqlite" --help
ok "sqlite: wrong arguments" refuses 2 "usage: sqlite" "$sqlite" --what
ok "sqlite: a wrong number" refuses 2 "--limit takes a number from" "$sqlite" --limit 0
echo "1..$count"
