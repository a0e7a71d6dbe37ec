# OCaml: a bytecode program compiled and run, with the Unix library: fork, pipes, folders.
cd /tmp
cat >work.ml <<'OCAML'
let () =
  let reader, writer = Unix.pipe () in
  (match Unix.fork () with
   | 0 -> ignore (Unix.write_substring writer (Sys.getcwd ()) 0 4); exit 7
   | pid -> (match Unix.waitpid [] pid with _, Unix.WEXITED 7 -> () | _ -> exit 2));
  let buffer = Bytes.create 4 in
  assert (Unix.read reader buffer 0 4 = 4 && Bytes.to_string buffer = "/tmp");
  assert (Array.mem "etc" (Sys.readdir "/"));
  assert (List.fold_left (+) 0 (List.init 1000 (fun n -> n * n)) = 332833500);
  assert (Sys.command "test -e /etc/passwd" = 0)
OCAML
ocamlc -I +unix unix.cma work.ml -o work 2>/dev/null || ocamlc -custom -I +unix unix.cma work.ml -o work
./work
