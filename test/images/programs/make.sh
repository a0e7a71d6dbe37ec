# make: a parallel build with pattern rules, functions, includes and a recursive make; then nothing left to do.
mkdir -p /tmp/m/sub && cd /tmp/m
printf 'parts := $(shell seq 20)\nall: whole sub\ninclude more.mk\nwhole: $(parts:%%=part.%%)\n\tcat $^ | sort -n >$@\npart.%%:\n\techo $* >$@\nsub:\n\t$(MAKE) -C sub\n.PHONY: all sub\n' >Makefile
printf 'CURRENT := $(abspath .)\n$(info in $(CURRENT))\n' >more.mk
printf 'a b c: ; touch $@\nall: a b c\n.DEFAULT_GOAL := all\n' >sub/Makefile
make -j2 >log && grep -qx 'in /tmp/m' log
test "$(cat whole)" = "$(seq 20)"
test -e sub/c
make -q whole
touch part.3 && ! make -q whole
