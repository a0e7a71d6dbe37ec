# Tcl and zsh: files, pipelines, sockets and events; globs, coprocesses and its own modules.
cd /tmp
cat >work.tcl <<'TCL'
set f [open /tmp/tcl.txt w]; puts $f hello; close $f
if {[exec sort << "b\na"] ne "a\nb" || [pwd] ne "/tmp" || ![file exists /etc/passwd]} {exit 1}
socket -server accept -myaddr 127.0.0.1 0
proc accept {channel address port} {puts $channel hello; close $channel}
set port [lindex [fconfigure [socket -server accept -myaddr 127.0.0.1 0] -sockname] 2]
set client [socket 127.0.0.1 $port]; fileevent $client readable {gets $client line; set done 1}; vwait done
if {$line ne "hello"} {exit 2}
TCL
tclsh work.tcl
zsh -c 'zmodload zsh/stat zsh/zpty zsh/system; files=(/etc/**/passwd(.)); [[ $files == /etc/passwd ]] || exit 1
  coproc cat; print -p hello; read -p line; [[ $line == hello ]] || exit 2
  [[ $(stat +size /etc/passwd) -gt 10 && $(print -l {3..1} | sort | tail -n 1) == 3 ]] || exit 3'
