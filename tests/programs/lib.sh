# shellcheck shell=sh
# lib.sh: shared parts of the program tests. Sourced by every tests/programs/*.t, which then calls
#
#   setup NAME PACKAGE...     first: installs, makes $work, cleans up at exit
#   ok / skip / same_run      the tests
#   finish                    last: the plan
#
# Environment: EMMA_MALLOC  the library (default: build/libemma-malloc.so)
#              EMMA_TEST_QUICK=1  less work
# In $work lie the files of the test, when it fails they stay there.

set -u
LC_ALL=C
export LC_ALL
unset LD_PRELOAD
root=$(cd "$(dirname "$0")/../.." && pwd)
count=0
failed=0
servers= # process ids to kill at the end
sockets= # a folder to remove at the end

bail_out() {
    echo "Bail out! $*"
    exit 1
}

# The diagnosis goes to standard output as TAP comments.
note() {
    echo "$*" | sed 's/^/# /'
}

setup() {
    name=$1
    shift
    emma=$(realpath -e "${EMMA_MALLOC:-$root/build/libemma-malloc.so}") || bail_out "EMMA_MALLOC is no library"
    [ $# -eq 0 ] || "$root/tools/need.sh" "$@" || bail_out "packages are missing: $*"
    work=$root/build/programs/$name
    rm -rf "$work"
    mkdir -p "$work"
    trap clean_up EXIT
    trap 'exit 1' INT TERM HUP
    cd "$work" || bail_out "no folder $work"
    make_with_emma
}

# The command with_emma runs its arguments with emma. The loader of each process leaves a file, for was_loaded.
make_with_emma() {
    mkdir bin
    cat >bin/with_emma <<EOF
#!/bin/sh
LD_PRELOAD='$emma' LD_DEBUG=files LD_DEBUG_OUTPUT='$work/loaded'
export LD_PRELOAD LD_DEBUG LD_DEBUG_OUTPUT
exec "\$@"
EOF
    chmod +x bin/with_emma
    PATH=$work/bin:$PATH
}

clean_up() {
    # shellcheck disable=SC2086  # a list of words is meant
    [ -z "$servers" ] || kill -9 $servers 2>/dev/null
    [ -z "$sockets" ] || rm -rf "$sockets"
    [ "$failed" -gt 0 ] || rm -rf "$work"
}

# quick WORD OTHER: the first with EMMA_TEST_QUICK, else the second.
quick() {
    if [ -n "${EMMA_TEST_QUICK:-}" ]; then echo "$1"; else echo "$2"; fi
}

# ok DESCRIPTION COMMAND...: one test; its output is shown when it fails.
ok() {
    description=$1
    shift
    count=$((count + 1))
    if "$@" >ok.log 2>&1; then
        echo "ok $count - $name: $description"
    else
        echo "not ok $count - $name: $description"
        note "$(tail -n 20 ok.log)"
        failed=$((failed + 1))
    fi
}

skip() {
    count=$((count + 1))
    echo "ok $count - $name: $1 # SKIP $2"
}

finish() {
    echo "1..$count"
    [ "$failed" -eq 0 ]
}

# was_loaded PROGRAM...: in some process each program started with emma loaded before.
# A process that calls exec writes on in its file; each line begins with the process id.
was_loaded() {
    find "$work" -maxdepth 1 -name 'loaded.*' -exec cat {} + >loads.log
    for program in "$@"; do
        awk -v library="file=$emma" -v program="$program" '
            $2 == library && /generating link map/ { loaded[$1] = 1 }
            /initialize program: / {
                sub(".*/", "", $NF)
                if ($NF == program && loaded[$1]) found = 1
                loaded[$1] = 0
            }
            END { exit !found }' loads.log || { echo "no process ran $program with emma"; return 1; }
    done
}

# maps_emma PID: the library is mapped into the running process.
maps_emma() {
    grep -qF "$emma" "/proc/$1/maps"
}

# same_run DESCRIPTION PROGRAM...: output and exit status are the same with emma as without; the program succeeds.
same_run() {
    what=$1
    shift
    run_into plain.out "$@"
    rm -f loaded.* # of earlier runs
    run_into emma.out with_emma "$@"
    ok "$what: succeeds without emma" ends_well plain.out
    ok "$what: same output with emma" diff plain.out emma.out
    ok "$what: emma was loaded" was_loaded "$(basename "$1")"
}

run_into() {
    output=$1
    shift
    "$@" >"$output" 2>&1 </dev/null
    echo "exit status $?" >>"$output"
}

ends_well() {
    tail "$1"
    tail -n 1 "$1" | grep -q '^exit status 0$'
}

# wait_for COMMAND...: until it succeeds, at most 20 seconds.
wait_for() {
    tries=200
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}
