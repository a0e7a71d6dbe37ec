# Erlang: a module compiled and run, 10,000 processes, files, ports.
cd /tmp
cat >work.erl <<'ERLANG'
-module(work).
-export([main/0]).
main() ->
    Self = self(),
    Pids = [spawn(fun() -> Self ! {self(), N * N} end) || N <- lists:seq(1, 10000)],
    333383335000 = lists:sum([receive {Pid, V} -> V end || Pid <- Pids]),
    ok = file:write_file("/tmp/erl.txt", <<"hello">>),
    {ok, <<"hello">>} = file:read_file("/tmp/erl.txt"),
    {ok, Names} = file:list_dir("/"), true = lists:member("etc", Names),
    {ok, "/tmp"} = file:get_cwd(),
    "from a shell\n" = os:cmd("echo from a shell"),
    Port = open_port({spawn, "cat"}, [binary]),
    port_command(Port, <<"through">>),
    receive {Port, {data, <<"through">>}} -> ok end,
    io:format("done~n").
ERLANG
erlc work.erl
test "$(erl -noshell -s work main -s init stop)" = done
