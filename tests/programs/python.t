#!/bin/sh
# python3: modules of its own test suite, with every allocation through malloc. A module that fails is tried without
# emma: where it fails too, it says nothing about emma and is skipped.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup python python3 libpython3.11-testsuite

PYTHONMALLOC=malloc
export PYTHONMALLOC

module_passes() { # MODULE [RUNNER]
    module=$1
    shift
    timeout 240 "$@" /usr/bin/python3 -m test --timeout 200 "$module" >"$module.log" 2>&1
}

try_module() { # MODULE
    rm -f loaded.*
    if module_passes "$1" with_emma; then
        ok "$1" grep -q SUCCESS "$1.log"
    elif cp "$1.log" "$1.emma.log" && module_passes "$1"; then
        ok "$1" cat_fails "$1.emma.log"
    else
        skip "$1" "fails without emma too: $(grep -m 1 -E '^(FAIL|ERROR):' "$1.log" || tail -n 1 "$1.log")"
    fi
    ok "$1: emma was loaded" was_loaded python3
}

cat_fails() {
    cat "$1"
    return 1
}

for module in $(quick "test_json test_re test_ctypes test_sqlite3 test_threading" "test_json test_re test_ctypes
        test_sqlite3 test_threading test_subprocess test_multiprocessing_fork"); do
    try_module "$module"
done

cat >work.py <<'EOF'
import concurrent.futures, gc, hashlib, json, random, sys

def work(seed):
    rng, kept, digest = random.Random(seed), {}, hashlib.sha256()
    for _ in range(int(sys.argv[1])):
        tree = [{"k": rng.random(), "s": "x" * rng.randrange(2000), "l": list(range(rng.randrange(50)))} for _ in range(200)]
        text = json.dumps(tree)
        kept[rng.randrange(32)] = json.loads(text)
        digest.update(text.encode())
    gc.collect()
    return digest.hexdigest(), sum(len(tree) for tree in kept.values())

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(*pool.map(work, range(8)), sep="\n")
with concurrent.futures.ProcessPoolExecutor(2) as pool:
    print(*pool.map(work, range(4)), sep="\n")
EOF
same_run "threads and processes" /usr/bin/python3 work.py "$(quick 20 60)"
finish
