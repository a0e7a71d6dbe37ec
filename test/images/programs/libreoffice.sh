# LibreOffice, headless: HTML to ODT to PDF, and the PDF's text.
cd /tmp
echo '<h1>Hello</h1><p>from a function</p>' >a.html
soffice --headless --convert-to odt:writer8 --infilter=writer_web_HTML_to_writer a.html >/dev/null 2>log || soffice --headless --writer --convert-to odt a.html >/dev/null
soffice --headless --convert-to pdf a.odt >/dev/null
pdftotext a.pdf - | tr '\n' ' ' | grep -q 'Hello.*from a function'
