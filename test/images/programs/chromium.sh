# Chromium, headless: a page's script runs, its document and its picture come out, a PDF is printed.
cd /tmp
echo '<body style="background: red"><p id=a></p><script>a.textContent = [1, 2, 3].map((n) => n * n).join()</script>' >page.html
options='--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir=/tmp/profile'
chromium $options --dump-dom file:///tmp/page.html 2>log | grep -q '<p id="a">1,4,9</p>'
chromium $options --screenshot=/tmp/page.png --window-size=320,240 file:///tmp/page.html 2>>log
chromium $options --print-to-pdf=/tmp/page.pdf file:///tmp/page.html 2>>log
head -c 4 page.png | tail -c 3 | grep -q PNG
pdftotext page.pdf - | grep -q 1,4,9
