# PostgreSQL, which su makes its own user: a cluster is made and started (shared memory, processes, sockets), queried by two clients at once, and stopped.
cat >/tmp/work.sh <<'SH'
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
cd /tmp
initdb -D data --no-sync -A trust -U me >/dev/null
pg_ctl -D data -o "-k /tmp -h ''" -l log -w start >/dev/null
sql() { psql -h /tmp -U me -d postgres -v ON_ERROR_STOP=1 -qtA -c "$1"; }
sql 'create table t(n int primary key, s text); create function twice(n int) returns int language plpgsql as $$ begin return 2 * n; end $$'
sql "insert into t select n, md5(n::text) from generate_series(1, 5000) n" & sql "insert into t select n, md5(n::text) from generate_series(5001, 10000) n"; wait $!
test "$(sql 'select count(*), max(twice(n)) from t')" = '10000|20000'
sql 'vacuum analyze t'
pg_dump -h /tmp -U me postgres | grep -c '^[0-9]*	[0-9a-f]\{32\}$' | grep -qx 10000
pg_ctl -D data -w stop >/dev/null
test "$(stat -c %U data)" = postgres
SH
su postgres -c 'sh -eux /tmp/work.sh'
