# Terminals of their own: tmux runs a shell in one, expect talks to another; rsync copies a tree over a pipe; ps sees its processes.
cd /tmp
tmux -S /tmp/tmux.sock -f /dev/null new-session -d -x 80 -y 24 sh
tmux -S /tmp/tmux.sock send-keys 'test -t 0 && echo result-$((6 * 7)) >/tmp/out; stty size >>/tmp/out; echo end >>/tmp/out' Enter
until grep -q end out 2>/dev/null; do sleep 0.1; done
test "$(tr '\n' ' ' <out)" = 'result-42 23 80 end ' || test "$(tr '\n' ' ' <out)" = 'result-42 24 80 end '
tmux -S /tmp/tmux.sock kill-server
expect -c 'spawn sh; send "read name; echo hello \$name\r"; send "you\r"; expect "hello you" { exit 0 } timeout { exit 1 }' >/dev/null
mkdir -p a/b && seq 1000 >a/b/c && ln -s b/c a/d && rsync -a a/ e/ && test "$(readlink e/d)" = b/c && cmp a/b/c e/b/c
echo more >>a/b/c && rsync -a --no-whole-file -e 'sh -c "shift; exec \"\$@\"" x' a/ host:/tmp/e/ && cmp a/b/c e/b/c
ps -o comm= -p $$ | grep -qx sh
