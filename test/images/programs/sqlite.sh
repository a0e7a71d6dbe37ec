# SQLite: transactions, an index, WAL with two writers at once, integrity, backup.
cd /tmp
sqlite3 a.db 'pragma journal_mode=wal; create table t(n integer primary key, s text); create index i on t(s);' | grep -qx wal
insert='with recursive c(n) as (select 1 union all select n + 1 from c where n < 5000) insert into t(s) select hex(n) from c;'
sqlite3 -cmd '.timeout 60000' a.db "$insert" & sqlite3 -cmd '.timeout 60000' a.db "$insert"; wait $!
test "$(sqlite3 a.db 'select count(*), count(distinct s) from t; pragma integrity_check;' | tr '\n' ' ')" = '10000|5000 ok '
sqlite3 a.db '.backup b.db' && test "$(sqlite3 b.db 'select max(n) from t')" = 10000
sqlite3 a.db .dump | sqlite3 c.db && test "$(sqlite3 c.db 'select count(*) from t')" = 10000
