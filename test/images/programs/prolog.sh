# SWI-Prolog: a program with threads, a child process and files.
cd /tmp
cat >work.pl <<'PROLOG'
:- use_module(library(process)). :- use_module(library(readutil)).
main :-
    findall(Q, nqueens(6, Q), Qs), length(Qs, 4),
    concurrent_maplist([X, Y]>>(Y is X * X), [1, 2, 3], [1, 4, 9]),
    process_create(path(echo), ['from a child'], [stdout(pipe(Out))]), read_line_to_string(Out, "from a child"), close(Out),
    working_directory(D, D), atom_concat('/tmp', _, D), exists_file('/etc/passwd'),
    open('/tmp/pl.txt', write, W), format(W, "a(~w).~n", [1]), close(W), open('/tmp/pl.txt', read, R), read(R, a(1)), close(R).
nqueens(N, Qs) :- numlist(1, N, L), permutation(L, Qs), safe(Qs).
safe([]). safe([Q|Qs]) :- no_attack(Q, Qs, 1), safe(Qs).
no_attack(_, [], _). no_attack(Q, [P|Ps], D) :- P =\= Q + D, P =\= Q - D, D1 is D + 1, no_attack(Q, Ps, D1).
PROLOG
swipl -g main -t halt work.pl
