#!/bin/sh
# clang and clang++: the sources of this project, and a C++ file full of templates; the object files must be identical.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup clang clang g++
. "$root/tests/programs/compile.sh"

compile_project clang
compile_templates clang++
ok "emma was loaded" was_loaded clang clang++
finish
