#!/bin/sh
# sqlite3: a database in memory and one in a file; the dump and a check of its integrity are compared.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup sqlite sqlite3

cat >work.sql <<EOF
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, note BLOB);
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < $(quick 60000 300000))
    INSERT INTO item SELECT i, printf('name %d', i * 7919 % 10007), i * 31 % 1000 / 8.0, zeroblob(i % 300) FROM n;
CREATE INDEX item_name ON item(name, price);
CREATE TABLE sale AS SELECT id AS item, id % 13 AS count FROM item WHERE id % 3 = 0;
UPDATE item SET note = NULL WHERE id % 5 = 0;
DELETE FROM item WHERE id % 11 = 0;
SELECT name, sum(price * count), group_concat(id) FROM item JOIN sale ON item.id = sale.item GROUP BY name
    ORDER BY 2 DESC, 1 LIMIT 200;
SELECT id, rank() OVER (PARTITION BY id % 10 ORDER BY price, id), avg(price) OVER (ORDER BY id ROWS 20 PRECEDING)
    FROM item ORDER BY id LIMIT 5000 OFFSET 20000;
SELECT count(*), sum(length(upper(name) || hex(substr(note, 1, 9)))) FROM item;
VACUUM;
PRAGMA integrity_check;
EOF
same_run "database in memory" sqlite3 :memory: ".read work.sql"

sqlite3 plain.db ".read work.sql" >/dev/null
with_emma sqlite3 emma.db ".read work.sql" >/dev/null
sqlite3 plain.db .dump >plain.dump
with_emma sqlite3 emma.db .dump >emma.dump
ok "database in a file: same dump" cmp plain.dump emma.dump
ok "database in a file: not empty" [ "$(wc -l <emma.dump)" -gt 10000 ]
finish
