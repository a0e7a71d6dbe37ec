# TeX: LaTeX with references in two runs, BibTeX, DVI to PDF; Pandoc to HTML and LaTeX.
cd /tmp
cat >a.tex <<'TEX'
\documentclass{article}\begin{document}\section{First}\label{s}See section~\ref{s} and \cite{k}. $\int_0^1 x\,dx=\frac12$
\bibliographystyle{plain}\bibliography{b}\end{document}
TEX
printf '@book{k, author={Knuth}, title={TeX}, publisher={A}, year={1984}}\n' >b.bib
pdflatex -interaction=batchmode a.tex >/dev/null && bibtex -terse a && pdflatex -interaction=batchmode a.tex >/dev/null && pdflatex -interaction=batchmode a.tex >/dev/null
pdftotext a.pdf - | tr '\n' ' ' | grep -q 'See section 1 and \[1\]'
printf '# Title\n\n*a* [b](c)\n' | pandoc -t html | tr '\n' ' ' | grep -q '<h1 id="title">Title</h1> <p><em>a</em> <a href="c">b</a></p>'
