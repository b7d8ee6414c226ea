#!/bin/sh
# limit.t: EMMA_CONF=limit=... holds for an unmodified program with the drop-in. EMMA_MALLOC: the drop-in.
set -eu
count=0
failed=0

# DESCRIPTION, whether it should end well (1 or 0), limit, the program
check() {
    count=$((count + 1))
    well=0
    if output=$(EMMA_CONF="limit=$3" LD_PRELOAD="$EMMA_MALLOC" perl -e "$4" 2>&1); then
        well=1
    fi
    if [ "$well" = "$2" ] && case $output in *"not understood"*) false ;; esac then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        echo "$output" | sed 's/^/# /'
        failed=1
    fi
}

check "a string that fits" 1 256M 'my $x = "a" x (100 << 20); exit(length $x == 100 << 20 ? 0 : 1)'
check "one that does not" 0 64M 'my $x = "a" x (100 << 20)'
check "many small ones that fit" 1 256M 'my @x = map { "string number $_" } 1 .. 300_000'
check "many that do not" 0 16M 'my @x = map { "string number $_" } 1 .. 300_000'
check "freed, and had again, for ever" 1 64M 'for (1 .. 50) { my $x = "a" x (20 << 20); my @x = map { "$_" } 1 .. 50_000 }'
check "no limit" 1 0 'my $x = "a" x (100 << 20)'
check "that of the control group" 1 cgroup 'my $x = "a" x (10 << 20)'

echo "1..$count"
exit $failed
