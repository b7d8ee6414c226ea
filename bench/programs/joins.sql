-- In memory: two tables, indices, joins, sorting, text; then much is deleted and made again.
PRAGMA temp_store = MEMORY;
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, note TEXT);
CREATE TABLE sale (id INTEGER PRIMARY KEY, item INTEGER, place TEXT, amount INTEGER);
INSERT INTO item
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  SELECT i, i * 7919 % 97, 'item ' || i, printf('%0*d', i % 200 + 1, i) FROM n;
INSERT INTO sale
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
  SELECT i, i * 104729 % 60000 + 1, 'place ' || (i * 31 % 500), i * 17 % 1000 FROM n;
CREATE INDEX sale_item ON sale (item);
CREATE INDEX sale_place ON sale (place, amount);
SELECT kind, count(*), sum(amount) FROM sale JOIN item ON sale.item = item.id GROUP BY kind ORDER BY 3 DESC LIMIT 3;
SELECT place, group_concat(name, ';') AS names FROM sale JOIN item ON sale.item = item.id
  GROUP BY place ORDER BY length(names) DESC LIMIT 0;
SELECT count(DISTINCT substr(note, -3) || place) FROM sale JOIN item ON sale.item = item.id;
DELETE FROM sale WHERE id % 3 > 0;
INSERT INTO sale SELECT NULL, item, upper(place), amount + 1 FROM sale;
SELECT count(*), sum(amount) FROM sale;
