# shellcheck shell=sh
# compile.sh: compiles with and without emma and compares. Sourced after lib.sh by the tests of compilers.

# compile_both LABEL COMMAND...: the command writes the file that its -o names, here the last argument.
compile_both() {
    label=$1
    shift
    "$@" plain.o >plain.log 2>&1 || { echo "$label does not compile without emma"; cat plain.log; return 1; }
    with_emma "$@" emma.o >emma.log 2>&1 || { echo "$label does not compile with emma"; cat emma.log; return 1; }
    cmp plain.log emma.log && cmp plain.o emma.o
}

compile_all() { # COMPILER: from a copy, as the sources may be edited meanwhile
    # shellcheck disable=SC2154  # lib.sh sets root
    cp -r "$root/src" "$root/include" .
    find src -name '*.c' | sort | head -n "$(quick 12 1000)" >sources
    [ -s sources ] || return 1
    while read -r source; do
        compile_both "$source" "$1" -std=c11 -D_GNU_SOURCE -O2 -g -Iinclude -Isrc -c "$source" -o || return 1
    done <sources
}

compile_project() { # COMPILER
    ok "$1: this project: same object files" compile_all "$1"
}

templates() {
    cat <<'EOF'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Chain {
    Chain<N - 1> next;
    std::variant<int, std::string, std::vector<std::tuple<int, double, std::string>>> value;
    int sum() const { return static_cast<int>(value.index()) + N + next.sum(); }
};
template <> struct Chain<0> {
    int sum() const { return 0; }
};

int main()
{
    std::map<std::string, std::unordered_map<int, std::shared_ptr<Chain<100>>>> all;
    std::vector<std::function<int(int)>> functions;
    for (int i = 0; i < 50; ++i) functions.push_back([i](int x) { return x * i; });
    all["a"][1] = std::make_shared<Chain<100>>();
    std::string text = std::regex_replace("a1b22c333", std::regex("([a-z])([0-9]+)"), "$2$1");
    std::sort(text.begin(), text.end(), std::greater<char>());
    std::cout << text << all["a"][1]->sum() << functions[7](6) << '\n';
}
EOF
}

compile_templates() { # COMPILER
    templates >templates.cc
    for level in $(quick -O2 "-O0 -O2 -O3"); do
        ok "$1: templates $level: same object file" compile_both templates.cc "$1" -std=c++17 "$level" -g -c templates.cc -o
    done
}

link_templates() { # COMPILER
    ok "$1: linked with link-time optimisation: same program" compile_both templates.cc "$1" -std=c++17 -O1 -flto=2 \
        -frandom-seed=1 templates.cc -o
}
