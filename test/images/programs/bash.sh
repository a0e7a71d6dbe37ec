# bash: job control, traps, coprocess, process substitution, here-documents, signals to groups, wait -n.
cat >/tmp/work.bash <<'BASH'
set -m
sleep 100 & sleep 200 &
jobs -r | grep -c sleep | grep -qx 2 || exit 1
kill -STOP %1; until [[ $(jobs -s) == *sleep\ 100* ]]; do sleep 0.1; done
bg %1 >/dev/null; kill %1; wait %1; [[ $? -eq 143 ]] || exit 2
kill -- -"$(jobs -p %2)"; wait %2; [[ $? -eq 143 ]] || exit 3
(exit 5) & (sleep 100) & slow=$!
wait -n; [[ $? -eq 5 ]] || exit 4
kill -- -$slow; wait $slow 2>/dev/null
coproc rev { sed -u 's/a/b/'; }
echo aaa >&"${rev[1]}"; read -r line <&"${rev[0]}"; [[ $line == baa ]] || exit 5
diff <(seq 5) <(seq 5) || exit 6
trap 'caught=yes' USR1; kill -USR1 $$; [[ $caught == yes ]] || exit 7
[[ $(trap 'echo bye' EXIT; exit 0) == bye ]] || exit 8
[[ $(bash -c 'trap "echo int; exit 9" INT; kill -INT $$; sleep 5'; echo $?) == $'int\n9' ]] || exit 9
mapfile -t lines < <(ls /); [[ " ${lines[*]} " == *' etc '* ]] || exit 10
fifo=$(mktemp -u); mkfifo "$fifo"; echo through >"$fifo" & [[ $(<"$fifo") == through ]] || exit 11
BASH
bash /tmp/work.bash
