#!/bin/sh
# python3: modules of its own test suite, with every allocation through malloc. A module that fails is tried without
# emma: where it fails too, it says nothing about emma. Only modules named here may be left out so.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup python python3 libpython3.11-testsuite

PYTHONMALLOC=malloc
export PYTHONMALLOC
may_be_missing='test_sqlite3' # Debian's package of Python's tests does not hold it: database.py in its place

cat >run_test.py <<'EOF'
import runpy, sys

library = sys.argv.pop(1)
if library in open("/proc/self/maps").read():
    print("emma is mapped", flush=True)
runpy.run_module("test", run_name="__main__", alter_sys=True)
EOF

# Not with_emma: Python's tests watch descriptors and standard error of their children, where LD_DEBUG shows.
module_passes() { # MODULE LIBRARY
    timeout 240 env LD_PRELOAD="$2" /usr/bin/python3 run_test.py "$emma" --timeout 200 "$1" >"$1.log" 2>&1
}

says_nothing() { # MODULE, REASON
    case " $may_be_missing " in
    *" $1 "*) skip "$1" "$2" ;;
    *) ok "$1: $2" false ;;
    esac
}

try_module() { # MODULE
    if ! /usr/bin/python3 -c "import test.$1" 2>/dev/null; then
        says_nothing "$1" "Debian's package of Python's tests does not hold it"
        return
    fi
    module_passes "$1" "$emma"
    cp "$1.log" "$1.emma.log"
    if says_success "$1.log" >/dev/null || module_passes "$1" ''; then
        ok "$1" says_success "$1.emma.log"
    else
        says_nothing "$1" "fails without emma too: $(grep -m 1 -E '^(FAIL|ERROR):' "$1.log" || tail -n 1 "$1.log")"
    fi
    ok "$1: emma was loaded" grep -x 'emma is mapped' "$1.emma.log"
}

says_success() {
    tail -n 20 "$1"
    grep -q 'result: SUCCESS' "$1"
}

for module in $(quick "test_json test_re test_ctypes test_sqlite3 test_threading" "test_json test_re test_ctypes
        test_sqlite3 test_threading test_subprocess test_multiprocessing_fork"); do
    try_module "$module"
done

cat >work.py <<'EOF'
import concurrent.futures, gc, hashlib, json, random, sqlite3, sys

def work(seed):
    rng, kept, digest = random.Random(seed), {}, hashlib.sha256()
    for _ in range(int(sys.argv[1])):
        tree = [{"k": rng.random(), "s": "x" * rng.randrange(2000), "l": list(range(rng.randrange(50)))} for _ in range(200)]
        text = json.dumps(tree)
        kept[rng.randrange(32)] = json.loads(text)
        digest.update(text.encode())
    gc.collect()
    return digest.hexdigest(), sum(len(tree) for tree in kept.values()), *database(kept)

def database(kept):
    with sqlite3.connect(":memory:") as base:
        base.execute("CREATE TABLE t(i INTEGER PRIMARY KEY, k REAL, s TEXT)")
        base.create_function("mixed", 2, lambda k, s: f"{k:.6f}{s[:3]}")
        base.executemany("INSERT INTO t(k, s) VALUES(:k, :s)", (row for _, tree in sorted(kept.items()) for row in tree))
        rows = base.execute("SELECT mixed(k, s), length(group_concat(s)) FROM t GROUP BY i % 50 ORDER BY 1").fetchall()
        return len(rows), rows[7], len("".join(base.iterdump()))

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(*pool.map(work, range(8)), sep="\n")
with concurrent.futures.ProcessPoolExecutor(2) as pool:
    print(*pool.map(work, range(4)), sep="\n")
EOF
same_run "threads and processes" /usr/bin/python3 work.py "$(quick 20 60)"
same_run "the module sqlite3" /usr/bin/python3 "$root/tests/programs/database.py" "$(quick 2 6)"
finish
