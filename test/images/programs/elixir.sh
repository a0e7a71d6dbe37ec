# Elixir: a script with concurrent tasks, files, a system command; a compiled module.
cd /tmp
cat >work.exs <<'ELIXIR'
sum = 1..200 |> Task.async_stream(&(&1 * &1)) |> Enum.map(fn {:ok, v} -> v end) |> Enum.sum()
^sum = 2_686_700
File.mkdir_p!("/tmp/ex/a"); File.write!("/tmp/ex/a/b", "x")
["/tmp/ex/a/b"] = Path.wildcard("/tmp/ex/**/b")
{"from a shell\n", 0} = System.cmd("sh", ["-c", "echo from a shell"])
ELIXIR
elixir work.exs
echo 'defmodule Work do def double(n), do: n * 2 end' >work.ex
elixirc work.ex
test "$(elixir -e 'IO.puts Work.double(21)')" = 42
