"""The foreign suites: where each comes from, how its tests are built, what their output must contain."""

import pathlib
import re
import shlex
import subprocess

from model import BUILD, CC, CXX, HERE, TMP, Test, need
from sources import unpack

SHIM = HERE / "shim"

# Compilers know what malloc means and drop a block that nobody reads; the tests want every call to happen.
MEMORY_CALLS = ("malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign", "memalign")
KEEP_CALLS = [f"-fno-builtin-{call}" for call in MEMORY_CALLS]


def glibc():
    """glibc's own malloc tests, with our shim in place of its support library."""
    source = unpack("glibc-source", "glibc", "glibc/glibc-*.tar.xz", "malloc/*") / "malloc"
    need("libxml2-utils")
    parts = re.compile(r"tst-interpose-(aux|skeleton)")  # included by tests, no tests themselves
    files = [source / "mallocbug.c", *sorted(source.glob("tst-*.c"))]
    return [glibc_test(file) for file in files if not parts.match(file.stem)]


def glibc_test(file):
    shim = SHIM / "glibc"
    flags = ["-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", "-DTEST_NO_MALLOPT", "-pthread", *KEEP_CALLS]
    include = ["-I", shim, "-iquote", shim / "support"]
    return Test(
        "glibc",
        file.stem,
        compile=[CC, *flags, *include, file, shim / "support.c"],
        links=file.stem.startswith("tst-interpose-"),
        static="-static-" in file.stem,
        check={"mallocbug": says_pass, "tst-malloc_info": prints_xml}.get(file.stem),
    )


def says_pass(output):
    """mallocbug exits with 0 even when it fails."""
    return None if "PASS" in output else "does not say PASS"


def prints_xml(output):
    documents = re.findall(r"<malloc\b.*?</malloc>", output, re.DOTALL)
    if len(documents) != 2:
        return f"malloc_info printed {len(documents)} documents instead of 2"
    for document in documents:
        lint = subprocess.run(["xmllint", "--noout", "-"], input=document, capture_output=True, text=True)
        if lint.returncode:
            return f"malloc_info is not well-formed: {lint.stderr.splitlines()[0]}"
    return None


GNULIB_TESTS = (
    "malloc-gnu", "calloc-gnu", "realloc-gnu", "reallocarray", "free", "aligned_alloc", "posix_memalign", "memalign",
)


def gnulib():
    """The tests of gnulib's replacement functions, without gnulib's replacements."""
    need("gnulib")
    source = pathlib.Path("/usr/share/gnulib/tests")
    have = [f"-DHAVE_{call}=1" for call in ("ALIGNED_ALLOC", "POSIX_MEMALIGN", "MEMALIGN", "REALLOCARRAY")]
    flags = ["-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", *KEEP_CALLS, *have]
    include = ["-I", SHIM / "gnulib", "-I", source]
    return [
        Test("gnulib", f"test-{name}", compile=[CC, *flags, *include, source / f"test-{name}.c"])
        for name in GNULIB_TESTS
    ]


LIBSTDCXX_FILES = (
    "18_support/new_*.cc",
    "18_support/50594.cc",
    "18_support/aligned_alloc/*.cc",
    "20_util/allocator/*.cc",
    "20_util/monotonic_buffer_resource/*.cc",
    "20_util/synchronized_pool_resource/*.cc",
    "20_util/unsynchronized_pool_resource/*.cc",
)


def libstdcxx():
    """operator new and delete, and the memory resources, of libstdc++'s test suite: those tests that are run."""
    folders = ("18_support", "20_util", "util")
    members = [f"libstdc++-v3/testsuite/{folder}/*" for folder in folders]
    source = unpack("gcc-12-source", "gcc", "gcc-12/gcc-12*.tar.xz", *members) / "libstdc++-v3" / "testsuite"
    need("g++")
    files = [file for pattern in LIBSTDCXX_FILES for file in sorted(source.glob(pattern))]
    return [libstdcxx_test(source, file) for file in files if "dg-do compile" not in file.read_text()]


def libstdcxx_test(source, file):
    # Without optimisation: a compiler may leave out a pair of new and delete.
    flags = ["-std=gnu++17", "-O0", "-w", "-pthread", "-I", source / "util"]
    options = re.findall(r'\{ dg-options "([^"]*)" \}', file.read_text())
    flags += [option for group in options for option in shlex.split(group)]
    return Test("libstdc++", str(file.relative_to(source).with_suffix("")), compile=[CXX, *flags, file])


STRESS = {
    "malloc": "--malloc 2",
    "malloc-pthreads": "--malloc 1 --malloc-pthreads 4 --malloc-touch",
    "malloc-zerofree": "--malloc 1 --malloc-pthreads 2 --malloc-zerofree --malloc-touch",
    "malloc-large": "--malloc 1 --malloc-pthreads 2 --malloc-bytes 8m --malloc-max 64 --malloc-touch",
    "malloc-thresh": "--malloc 1 --malloc-pthreads 2 --malloc-thresh 4k --malloc-bytes 256k --malloc-max 1024",
    "bigheap": "--bigheap 1 --bigheap-growth 1m --bigheap-ops 400",
    "fork-pthread": "--fork 1 --pthread 1 --malloc 1",
}


def stress_ng():
    """stress-ng's malloc stressor, which checks what it wrote."""
    need("stress-ng")
    common = f"stress-ng --verify --oomable --seed 1 --timeout 4s --temp-path {shlex.quote(str(TMP))}"
    return [
        Test("stress-ng", name, command=shlex.split(f"{common} {options}"), check=stress_complaint, limit_seconds=60)
        for name, options in STRESS.items()
    ]


def stress_complaint(output):
    complaints = [line for line in output.splitlines() if re.search(r"\bfail(ed)?:|out of memory|killed", line)]
    return complaints[0] if complaints else None


SUITES = {"glibc": glibc, "gnulib": gnulib, "libstdc++": libstdcxx, "stress-ng": stress_ng}
