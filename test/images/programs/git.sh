# git: init, commits, branch, merge, clone over file://, fetch, gc, fsck, bundle, worktree.
export HOME=/tmp GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.test GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.test
git init -q -b main /tmp/one && cd /tmp/one
for i in 1 2 3 4 5; do seq $((i * 100)) >f$i; git add . && git commit -qm "commit $i"; done
git checkout -qb side HEAD~2 && echo side >side && git add side && git commit -qm side
git checkout -q main && git merge -q --no-edit side
git clone -q file:///tmp/one /tmp/two
test "$(git -C /tmp/two rev-parse HEAD)" = "$(git rev-parse HEAD)"
echo more >>f1 && git commit -qam more && git -C /tmp/two pull -q --ff-only
git gc -q --aggressive --prune=now && git fsck --strict --no-progress
test "$(git log --oneline | wc -l)" -eq 8
git bundle create -q /tmp/b main && git clone -q -b main /tmp/b /tmp/three && test "$(cat /tmp/three/f5 | wc -l)" -eq 500
git worktree add -q /tmp/four side && test -e /tmp/four/side
test -z "$(git -C /tmp/two status --porcelain)"
