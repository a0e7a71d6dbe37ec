# Ghostscript, Graphviz and Poppler: a graph to SVG and PDF, the PDF to pictures and to text.
cd /tmp
echo 'digraph { one -> two; two -> three [label="x"] }' >a.dot
dot -Tsvg a.dot -o a.svg && grep -c '<g id="node' a.svg | grep -qx 3
dot -Tps2 a.dot -o a.ps && gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile=a.pdf a.ps
gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=png16m -r72 -sOutputFile=a.png a.pdf && head -c 4 a.png | tail -c 3 | grep -q PNG
pdftoppm -r 50 a.pdf page && test -s page-1.ppm
pdftotext a.pdf - | grep -q three
