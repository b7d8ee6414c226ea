"""selftest_cases.py: the good tree and the bad trees that selftest.py tries the rules and stages on.

A bad tree is the good one with some files added or replaced. Each case names the beginning of the line that must be
printed. Texts that the rules would find in this file are put together from pieces.
"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def header(folder, name, body):
    """A header with banner and guard; its body begins at line 4."""
    guard = f"EMMA_{folder}_{name}_H".upper()
    return f"/* {name}.h: a fixture. */\n#ifndef {guard}\n#define {guard}\n{body}\n#endif\n"


def source(name, body):
    """A source with banner; its body begins at line 2."""
    return f"/* {name}.c: a fixture. */\n{body}\n"


def body_of(lines):
    return "int f(int x) {\n" + "    x++;\n" * (lines - 3) + "    return x;\n}"


# Registers that only one kind of machine has; other machines must not compile it.
CALL = """
static inline long emma__call(long number) {{
    register long call __asm__("{0}") = number;
    __asm__ volatile("" : "+r"(call));
    return call;
}}"""

GOOD = {
    "src/base/README.md": "# base\n",
    "src/base/word.h": header("base", "word", "int emma__word_twice(int x);"),
    "src/base/word.c": source("word", '#include "base/word.h"\n\n'
                              'static const char *const names[] = {"a", "b"};\n\n'
                              "int emma__word_twice(int x) {\n    _Atomic(int) *word = (_Atomic(int) *)&x;\n"
                              "    *word = x;\n    return x + x + (names[0][0] == 'b');\n}"),
    "src/plat/README.md": "# plat\n",
    "src/plat/call_aarch64.h": header("plat", "call_aarch64", CALL.format("x8")),
    "src/plat/call_riscv64.h": header("plat", "call_riscv64", CALL.format("a7")),
    "src/plat/wasm/README.md": "# wasm\n",
    "src/plat/wasm/wasm.c": source("wasm", "unsigned long emma__wasm_pages(void);\n\n"
                                   "unsigned long emma__wasm_pages(void) {\n"
                                   "    return __builtin_wasm_memory_size(0);\n}"),
    "src/heap/README.md": "# heap\n",
    "src/heap/heap.h": header("heap", "heap", '#include "base/word.h"\n#include "emma.h"\n#include <stddef.h>'),
    "include/emma.h": "/* emma.h: a fixture.\n\n    #include <stdio.h>\n*/\n#ifndef EMMA_H\n#define EMMA_H\n\n"
                      "#include <stddef.h>\n\n"
                      "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\nvoid *emma_alloc(size_t size);\n"
                      "void emma_free(void *block);\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
    "tools/README.md": "# tools\n",
    "tools/good.sh": "#!/bin/sh\n# good.sh: a fixture.\necho \"$1\"\n",
}

with open(os.path.join(HERE, "exports.txt"), encoding="utf-8") as _file:
    SURFACE = " ".join(line for line in _file.read().splitlines() if not line.startswith("#")).split()


def exporting(names):
    return "".join(f"void {name}(void) {{}}\n" for name in names)


PUBLIC_NAMES = ["emma_alloc", "emma_free"]
GOOD_LIBRARIES = {
    "libemma.a": "void memcpy(void);\nextern __attribute__((weak)) long __rseq_offset;\nvoid emma__other(void);\n"
                 "long emma_alloc(void) { memcpy(); emma__other(); return &__rseq_offset ? __rseq_offset : 0; }\n"
                 "void emma__other(void) {}\n",
    "libemma.so": exporting(PUBLIC_NAMES),
    "libemma-malloc.so": exporting(PUBLIC_NAMES + SURFACE),
}

DEEP = """int f(int x) {
    if (x) {
        if (x > 1) {
            if (x > 2) {
                if (x > 3) {
                    x++;
                }
            }
        }
    }
    return x;
}"""

# rule, about, files, beginning of the expected line
TEXT_CASES = [
    ("includes", "an arrow upwards", {"src/base/up.h": header("base", "up", '#include "heap/heap.h"')},
     "src/base/up.h:4: includes: base may not include heap"),
    ("includes", "a folder that is only reached through another",
     {"src/depot/far.h": header("depot", "far", '#include "plat/plat.h"')},
     "src/depot/far.h:4: includes: depot may not include plat"),
    ("includes", "a file without its folder", {"src/base/near.c": source("near", '#include "word.h"')},
     'src/base/near.c:2: includes: "word.h" is not written'),
    ("includes", "a header of libc", {"src/plat/libc.c": source("libc", "#  include <string.h>")},
     "src/plat/libc.c:2: includes: <string.h> is not"),
    ("includes", "a macro", {"src/plat/macro.c": source("macro", "#include FILE_NAME")},
     "src/plat/macro.c:2: includes: an include names"),
    ("includes", "the public header at the bottom", {"src/base/top.c": source("top", "#include <emma.h>")},
     "src/base/top.c:2: includes: base may not include the public header"),
    ("includes", "a public header that knows src",
     {"include/emma_x.h": header("x", "emma_x", '#include "base/word.h"')},
     "include/emma_x.h:4: includes: a public header includes"),
    ("includes", "a folder that is not in the table", {"src/misc/any.c": source("any", "")},
     "src/misc/any.c:1: includes: src/misc is no folder"),
    ("names", "two modules of one name", {"src/heap/word.c": source("word", "")},
     "src/heap/word.c:1: names: there is a module word in src/base"),
    ("length", "a file too long", {"src/base/long.c": source("long", "\n" * 600)}, "src/base/long.c:602: length: 602"),
    ("function", "too many lines", {"src/base/long.c": source("long", body_of(61))},
     "src/base/long.c:2: function: f has 61 lines"),
    ("function", "too many parameters",
     {"src/base/many.c": source("many", "int f(int a, int b, int (*c)(int, int), int d, int e, int g) {\n}")},
     "src/base/many.c:2: function: f has 6 parameters"),
    ("function", "too many levels", {"src/base/deep.c": source("deep", DEEP)},
     "src/base/deep.c:6: function: f nests 4 levels"),
    ("readme", "a folder without one", {"src/span/span.c": source("span", "")},
     "src/span/README.md:1: readme: missing"),
    ("readme", "a folder of the tests without one", {"tests/README.md": "", "tests/unit/x.c": source("x", "")},
     "tests/unit/README.md:1: readme: missing"),
    ("readme", "one too long for src", {"src/base/README.md": "x\n" * 41}, "src/base/README.md:41: readme: 41 lines"),
    ("readme", "one too long elsewhere", {"tools/README.md": "x\n" * 61}, "tools/README.md:61: readme: 61 lines"),
    ("banner", "a source without one", {"src/base/none.c": "#include <stddef.h>\n"},
     "src/base/none.c:1: banner: no banner"),
    ("banner", "one with the name of another file", {"src/base/other.c": source("word", "")},
     "src/base/other.c:1: banner: no banner"),
    ("banner", "a script without one", {"tools/none.sh": "#!/bin/sh\necho\n"}, "tools/none.sh:2: banner: no banner"),
    ("banner", "one too long", {"src/base/long.c": "/* long.c: a fixture.\n" + " *\n" * 40 + " */\n"},
     "src/base/long.c:42: banner: the banner has 42 lines"),
    ("conditional", "#if above plat", {"src/heap/if.c": source("if", "#if EMMA_DEBUG\n#endif")},
     "src/heap/if.c:2: conditional: #if EMMA_DEBUG"),
    ("conditional", "#ifdef behind the guard", {"src/heap/if.h": header("heap", "if", "#ifdef X\n#endif")},
     "src/heap/if.h:4: conditional: #ifdef X"),
    ("words", "a path of a machine", {"README.md": "see " + "/wo" + "rk/main\n"}, "README.md:1: words: "),
    ("words", "a home", {"README.md": "\nsee " + "/ho" + "me/someone\n"}, "README.md:2: words: "),
    ("length", "an allowance for nothing", {"tools/check/allow.txt": "length src/base/gone.c *\n"},
     "tools/check/allow.txt:1: length: this line allows nothing"),
]

# rule, about, files, libraries, beginning of the expected line
BUILT_CASES = [
    ("state", "a variable", {"src/heap/v.c": source("v", "static int v = 1;\nint f(void) {\n    return v++;\n}")}, {},
     "src/heap/v.c:1: state: v is mutable state (section .data)"),
    ("state", "a zero variable inside a function",
     {"src/heap/v.c": source("v", "int f(void) {\n    static int count;\n    return count++;\n}")}, {},
     "src/heap/v.c:1: state: count"),
    ("state", "a thread-local variable", {"src/heap/v.c": source("v", "_Thread_local int v;")}, {},
     "src/heap/v.c:1: state: v is mutable state (section .tbss)"),
    ("needs", "a libc function", {}, {"libemma.a": "void puts(void);\nvoid emma_x(void) { puts(); }\n"},
     "build/libemma.a:1: needs: needs puts"),
    ("needs", "rseq not weakly", {},
     {"libemma.a": "extern long __rseq_offset;\nlong emma_x(void) { return __rseq_offset; }\n"},
     "build/libemma.a:1: needs: needs __rseq_offset strongly"),
    ("exports", "malloc from libemma", {}, {"libemma.so": exporting(PUBLIC_NAMES + ["malloc"])},
     "build/libemma.so:1: exports: exports malloc"),
    ("exports", "an internal name from libemma", {}, {"libemma.so": exporting(PUBLIC_NAMES + ["emma__heap_x"])},
     "build/libemma.so:1: exports: exports emma__heap_x"),
    ("exports", "libemma without a public function", {}, {"libemma.so": exporting(PUBLIC_NAMES[:1])},
     "build/libemma.so:1: exports: does not export emma_free"),
    ("exports", "the drop-in without cfree", {},
     {"libemma-malloc.so": exporting(name for name in PUBLIC_NAMES + SURFACE if name != "cfree")},
     "build/libemma-malloc.so:1: exports: does not export cfree"),
    ("exports", "the drop-in with more", {}, {"libemma-malloc.so": exporting(PUBLIC_NAMES + SURFACE + ["strdup"])},
     "build/libemma-malloc.so:1: exports: exports strdup"),
    ("stack", "a large frame below a small one",
     {"src/heap/deep.c": source("deep", "void use(char *);\nstatic __attribute__((noinline)) void below(void) {\n"
                                "    char room[2040];\n    use(room);\n}\nvoid above(void) {\n    below();\n}")}, {},
     "src/heap/deep.c:3: stack: below needs "),
    ("stack", "a function that calls itself",
     {"src/heap/deep.c": source("deep", "int f(int n);\nint g(int n) {\n    return n == 0 ? 1 : n * f(n - 1) + n;\n}\n"
                                "__attribute__((noinline)) int f(int n) {\n    return n == 1 ? 2 : g(n - 2) * n;\n}")}, {},
     "src/heap/deep.c:3: stack: g calls itself"),
]

WARNS = {"src/base/warn.c": source("warn", "int emma__warn(int x);\n\nint emma__warn(int x) {\n    unsigned y = x;\n"
                                   "    return y != 0;\n}")}
LEAN = {"src/base/lean.h": header("base", "lean", "size_t emma__lean(void);")}
NO_CXX = {"include/emma_c.h": header("x", "emma_c", "int emma_c(int new);")}

# stage, about, files, beginning of the expected line. Where two compilers look at the same file, their words differ:
# gcc says src/..., clang says ./src/... of a header.
STAGE_CASES = [
    ("format-check", "a line off", {"src/base/off.c": source("off", "int  emma__off;")}, "src/base/off.c:2:"),
    ("compile", "a warning of gcc", WARNS, "src/base/warn.c:5:18: error: conversion to"),
    ("compile", "a warning of clang", WARNS, "src/base/warn.c:5:18: error: implicit conversion"),
    ("compile", "a warning in C++", {"tests/warn.cc": "int f(int);\nint f(int x) {\n    unsigned y = x;\n"
                                     "    return y != 0;\n}\n"}, "tests/warn.cc:3:18: error: conversion to"),
    ("headers", "a header that needs another, gcc", LEAN, "src/base/lean.h:4:1: error: "),
    ("headers", "a header that needs another, clang", LEAN, "./src/base/lean.h:4:1: error: "),
    ("headers", "a header without a guard", {"src/base/bare.h": "/* bare.h: a fixture. */\nenum { EMMA_BARE };\n"},
     "src/base/bare.h:2:8: error: "),
    ("headers", "a public header that is no C++, gcc", NO_CXX, "include/emma_c.h:4:"),
    ("headers", "a public header that is no C++, clang", NO_CXX, "./include/emma_c.h:4:"),
    ("tidy", "two branches alike",
     {"src/base/alike.c": source("alike", "int emma__alike(int x);\n\nint emma__alike(int x) {\n"
                                 "    return x > 2 ? 1 : 1;\n}")}, "src/base/alike.c:5:18: error: "),
    ("cppcheck", "a check that comes late",
     {"src/base/late.c": source("late", "int emma__late(const int *x);\n\nint emma__late(const int *x) {\n"
                                "    int y = *x;\n    if (x)\n        y++;\n    return y;\n}")},
     "src/base/late.c:5: cppcheck: "),
    ("shell", "an unquoted word", {"tools/bad.sh": "#!/bin/sh\n# bad.sh: a fixture.\nrm $1\n"}, "tools/bad.sh:3:"),
]
