#!/bin/sh
# z3: C++ with a heap of its own in front of malloc; bit vectors, pigeons, queens, and the parallel solver's threads.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup z3 z3

pigeons() { # N pigeons in N - 1 holes: unsatisfiable, and long to prove
    awk -v n="$1" 'BEGIN {
        for (p = 1; p <= n; p++) for (h = 1; h < n; h++) printf "(declare-const p%d_%d Bool)\n", p, h
        for (p = 1; p <= n; p++) { printf "(assert (or"; for (h = 1; h < n; h++) printf " p%d_%d", p, h; print "))" }
        for (h = 1; h < n; h++) for (p = 1; p <= n; p++) for (q = p + 1; q <= n; q++)
            printf "(assert (or (not p%d_%d) (not p%d_%d)))\n", p, h, q, h
        print "(check-sat)" }'
}

queens() { # N queens: satisfiable; the model is printed
    awk -v n="$1" 'BEGIN {
        for (i = 1; i <= n; i++) printf "(declare-const q%d Int)\n(assert (and (<= 1 q%d) (<= q%d %d)))\n", i, i, i, n
        for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++)
            printf "(assert (distinct q%d q%d))\n(assert (distinct (- q%d q%d) %d %d))\n", i, j, i, j, j - i, i - j
        print "(check-sat)\n(get-model)" }'
}

cat >bits.smt2 <<'EOF'
(declare-const a (_ BitVec 24))
(declare-const b (_ BitVec 24))
(assert (= (bvmul a b) #x6b43a9))
(assert (bvugt a #x000001))
(assert (bvugt b a))
(assert (= (bvand (bvxor a b) #x00ff00) #x003c00))
(check-sat)
(get-model)
EOF
pigeons "$(quick 9 10)" >pigeons.smt2
queens "$(quick 9 12)" >queens.smt2
same_run "pigeons" z3 pigeons.smt2
same_run "queens" z3 queens.smt2
same_run "bit vectors" z3 bits.smt2
same_run "pigeons, two threads" z3 parallel.enable=true parallel.threads.max=2 pigeons.smt2
finish
