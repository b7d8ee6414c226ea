"""Makes what the real programs work on: sources, a drawing, a formula, a repository. Always the same bytes."""
import os
import random
import subprocess


def c_source(path, functions=120):
    """A C file with many functions of many statements, structs and tables."""
    dice = random.Random(1)
    out = ["typedef unsigned long word;", "extern word sink;"]
    for f in range(functions):
        out.append(f"struct s{f} {{ word a, b; struct s{max(0, f - 1)} *next; word table[{f % 13 + 1}]; }};")
        out.append(f"static word f{f}(struct s{f} *p, word x, word y) {{\n    word t = x;")
        for i in range(14):
            a, b, c = (dice.randrange(1, 9999) for _ in range(3))
            out.append(f"    for (word i{i} = 0; i{i} < (y & {b}); i{i}++)")
            out.append(f"        t += (x * {a} ^ p->table[i{i} % {f % 13 + 1}]) >> (i{i} & 7);")
            out.append(f"    if ((t & {c}) == {c % 31}) t ^= p->a * {b}; else p->b += t / {a};")
        if f:
            out.append(f"    if (p->next) t += f{f - 1}((struct s{f - 1} *)p->next, t, y >> 1);")
        out.append("    return t;\n}")
    out.append(f"word start(struct s{functions - 1} *p) {{ return sink = f{functions - 1}(p, 1, 2); }}")
    write(path, "\n".join(out) + "\n")


def cxx_source(path, types=120):
    """A C++ file, already preprocessed, with class templates and library containers instantiated for many types."""
    out = ["#include <algorithm>", "#include <functional>", "#include <map>", "#include <string>", "#include <vector>",
           "template <int N, class T> struct Box { T value; std::vector<T> many;",
           "  template <class F> auto each(F f) const { std::vector<decltype(f(value))> r;",
           "    for (const auto &m : many) r.push_back(f(m)); return r; } };",
           "template <int N> struct Sum { enum { value = N + Sum<N - 1>::value }; };",
           "template <> struct Sum<0> { enum { value = 0 }; };"]
    for t in range(types):
        out.append(f"struct T{t} {{ int a = {t}; std::string name;")
        out.append(f"  bool operator<(const T{t} &o) const {{ return a < o.a; }} }};")
        out.append(f"long use{t}(Box<{t}, T{t}> &b) {{ auto r = b.each([](const T{t} &x) {{ return x.a + {t}; }});")
        out.append("  std::sort(b.many.begin(), b.many.end());" if t % 4 == 0 else "")
        out.append(f"  std::map<int, T{t}> m; for (int i : r) m[i].a += i;" if t % 8 == 0 else "  int m = 0; (void)m;")
        out.append(f"  long s = Sum<{t % 200}>::value; for (int i : r) s += i; return s; }}")
    ran = subprocess.run(["g++", "-std=c++17", "-E", "-P", "-x", "c++", "-"], input="\n".join(out) + "\n",
                         capture_output=True, text=True, check=True)
    write(path, ran.stdout)


def drawing(path, pages=240):
    """A PostScript file: text in several fonts, curves, shading, clipped pictures."""
    dice = random.Random(2)
    out = ["%!PS"]
    for page in range(pages):
        for font in ("Times-Roman", "Helvetica-Bold", "Courier"):
            out.append(f"/{font} findfont {dice.randrange(7, 15)} scalefont setfont")
            out += [f"{dice.randrange(20, 300)} {dice.randrange(20, 800)} moveto (line {i} of page {page}: "
                    f"{'lorem ipsum dolor ' * 3}) show" for i in range(60)]
        for _ in range(400):
            x = [dice.randrange(600) for _ in range(8)]
            out.append(f"{dice.random():.3f} {dice.random():.3f} {dice.random():.3f} setrgbcolor newpath {x[0]} {x[1]} "
                       f"moveto {x[2]} {x[3]} {x[4]} {x[5]} {x[6]} {x[7]} curveto {'fill' if x[0] & 1 else 'stroke'}")
        out.append("<< /ShadingType 2 /ColorSpace /DeviceRGB /Coords [0 0 600 800] /Function << /FunctionType 2 "
                   "/Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 1 >> >> shfill" if page % 10 == 0 else "")
        out.append("showpage")
    write(path, "\n".join(out) + "\n")


def formula(path, bits=18, prime=71993):
    """A formula for a solver: a prime number has no two factors; multiplication is done on bits."""
    wide = f"(_ BitVec {2 * bits})"
    half = f"(_ bv{1 << bits} {2 * bits})"
    write(path, f"(set-logic QF_BV)\n(declare-const a {wide})\n(declare-const b {wide})\n"
                f"(assert (= (bvmul a b) (_ bv{prime} {2 * bits})))\n"
                f"(assert (bvult a {half}))\n(assert (bvult b {half}))\n"
                f"(assert (bvugt a (_ bv1 {2 * bits})))\n(assert (bvuge b a))\n(check-sat)\n")


def repository(path, commits=2500, files=40):
    """A git repository with a long history of small changes to text files."""
    dice = random.Random(3)
    texts = [[f"line {i} of file {f} {dice.random()}" for i in range(400)] for f in range(files)]
    stream = []
    for c in range(commits):
        stream.append(f"commit refs/heads/main\ncommitter a <a@b> {1000000000 + c} +0000\ndata 2\nx\n")
        for f in dice.sample(range(files), 3):
            texts[f][dice.randrange(400)] = f"changed in {c}: {dice.random()}"
            text = "\n".join(texts[f]) + "\n"
            stream.append(f"M 644 inline d{f % 7}/f{f}.txt\ndata {len(text)}\n{text}\n")
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream).encode(), check=True)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


MAKERS = {"large.c": c_source, "large.ii": cxx_source, "drawing.ps": drawing, "formula.smt2": formula,
          "history.git": repository}


def make(path):
    """Makes the input of that name, once."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fresh = path + ".new"
    MAKERS[os.path.basename(path)](fresh)
    os.rename(fresh, path)
