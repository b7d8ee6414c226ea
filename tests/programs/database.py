"""Python's sqlite3 module, part by part, in the place of its own tests, which Debian does not ship. What it prints is the
same on every allocator: python.t compares. Argument: how many times."""
import hashlib
import os
import random
import sqlite3
import sys
import tempfile
import threading


def filled(path=":memory:", rows=2000, seed=1):
    rng = random.Random(seed)
    base = sqlite3.connect(path, detect_types=sqlite3.PARSE_DECLTYPES)
    base.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, k REAL, s TEXT, b BLOB)")
    base.executemany("INSERT INTO t(k, s, b) VALUES(?, ?, ?)",
                     ((rng.random(), "x%d" % rng.randrange(99) * rng.randrange(40), rng.randbytes(rng.randrange(3000)))
                      for _ in range(rows)))
    base.commit()
    return base


def digest(base):
    return hashlib.sha256("\n".join(base.iterdump()).encode()).hexdigest()


def functions():
    class Longest:
        def __init__(self):
            self.text = ""

        def step(self, text):
            self.text = max(self.text, text, key=lambda one: (len(one), one))

        def finalize(self):
            return self.text

    class Moving:
        def __init__(self):
            self.kept = []

        def step(self, value):
            self.kept.append(value)

        def inverse(self, value):
            self.kept.remove(value)

        def value(self):
            return sum(map(len, self.kept))

        finalize = value

    base = filled()
    base.create_function("mixed", -1, lambda *all: "/".join(map(str, all)), deterministic=True)
    base.create_aggregate("longest", 1, Longest)
    base.create_window_function("moving", 1, Moving)
    base.create_collation("backward", lambda a, b: (a < b) - (a > b))
    yield base.execute("SELECT mixed(id, length(s), substr(s, 1, 5)) FROM t ORDER BY id LIMIT 5 OFFSET 700").fetchall()
    yield base.execute("SELECT id % 7, length(longest(s)) FROM t GROUP BY 1").fetchall()
    yield base.execute("SELECT sum(m) FROM (SELECT moving(s) OVER (ORDER BY id ROWS 9 PRECEDING) AS m FROM t)").fetchall()
    yield base.execute("SELECT s FROM t ORDER BY s COLLATE backward, id LIMIT 3").fetchall()


def types():
    class Point:
        def __init__(self, *at):
            self.at = at

    sqlite3.register_adapter(Point, lambda point: "%d;%d" % point.at)
    sqlite3.register_converter("point", lambda text: Point(*map(int, text.split(b";"))))
    base = filled(rows=0)
    base.execute("CREATE TABLE p(p point)")
    base.executemany("INSERT INTO p VALUES(?)", ((Point(i, i * i),) for i in range(500)))
    yield sum(point.at[1] for point, in base.execute("SELECT p FROM p"))
    base.row_factory = sqlite3.Row
    row = base.execute("SELECT 1 AS one, 'zwei' AS two, x'0304' AS three, NULL AS four, 2.5e300 AS five").fetchone()
    yield row.keys(), tuple(row), row["TWO"]
    base.text_factory = bytes
    yield base.execute("SELECT 'text', ?", ("\u00e4\U0001f600" * 1000,)).fetchone()[1][:8]


def blobs():
    base = filled(rows=0)
    base.execute("INSERT INTO t(id, b) VALUES(1, zeroblob(?))", (4 << 20,))
    with base.blobopen("t", "b", 1) as blob:
        for at in range(0, len(blob), 65537):
            blob.seek(at)
            blob.write(b"at %d" % at)
        blob[10:20] = b"0123456789"
        yield len(blob), blob[65535:65550], blob[15]
    yield hashlib.sha256(base.execute("SELECT b FROM t").fetchone()[0]).hexdigest()


def copies():
    base = filled()
    other = sqlite3.connect(":memory:")
    steps = []
    base.backup(other, pages=50, progress=lambda status, left, total: steps.append(left))
    yield len(steps) > 1, digest(base) == digest(other)
    image = base.serialize()
    third = sqlite3.connect(":memory:")
    third.deserialize(image)
    yield digest(third) == digest(base), len(image)
    third.executescript("DELETE FROM t WHERE id % 3 = 0; VACUUM;")
    yield third.execute("PRAGMA integrity_check").fetchall(), digest(third)


def refusals():
    base = filled(rows=100)
    for statement in ("SELECT nothing", "INSERT INTO t(id) VALUES(1)", "SELEC 1", "SELECT abs(-9223372036854775808)"):
        try:
            base.execute(statement)
        except sqlite3.Error as error:
            yield type(error).__name__, str(error)
    base.create_function("fails", 0, lambda: 1 // 0)
    base.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_DELETE else sqlite3.SQLITE_OK)
    for statement in ("SELECT fails()", "DELETE FROM t"):
        try:
            base.execute(statement)
        except sqlite3.Error as error:
            yield type(error).__name__, str(error)
    base.set_progress_handler(lambda: 1, 1000)
    try:
        base.execute("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    except sqlite3.OperationalError as error:
        yield str(error)


def transactions():
    seen = []
    base = filled(rows=300)
    base.set_trace_callback(seen.append)
    try:
        with base:
            base.execute("UPDATE t SET s = s || s")
            base.execute("SAVEPOINT half")
            base.execute("DELETE FROM t")
            base.execute("ROLLBACK TO half")
            raise KeyError
    except KeyError:
        yield digest(base) == digest(filled(rows=300))
    yield [text.split()[0] for text in seen[:6]]


def many_threads():
    """Each with a connection of its own to one file, which is written in turn and read by all."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "base")
        base = filled(path)
        base.execute("PRAGMA journal_mode = WAL")
        found = {}

        def work(number):
            mine = sqlite3.connect(path, timeout=60)
            for i in range(30):
                with mine:
                    mine.execute("INSERT INTO t(id, s) VALUES(?, ?)", (10000 + number * 100 + i, "y" * number * i))
                mine.execute("SELECT group_concat(s) FROM t WHERE id < 1500").fetchone()
            found[number] = mine.execute("SELECT count(*) FROM t WHERE id / 100 = 100 + ?", (number,)).fetchone()
            mine.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield sorted(found.items()), digest(base)


for _ in range(int(sys.argv[1])):
    for part in (functions, types, blobs, copies, refusals, transactions, many_threads):
        for line in part():
            print(part.__name__, line)
