#!/bin/sh
# gcc and g++: the sources of this project, and a C++ file full of templates; the object files must be identical.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup gcc gcc g++ binutils
. "$root/tests/programs/compile.sh"

compile_project gcc
compile_templates g++
ok "emma was loaded into all parts" was_loaded gcc g++ cc1 cc1plus as
link_templates g++
ok "emma was loaded into the linker" was_loaded collect2 ld
finish
