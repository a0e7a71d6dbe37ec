# LibreOffice, headless: a text to ODT, the ODT to PDF and to Word's format, and the PDF's text.
cd /tmp
printf 'Hello\n\nfrom a function\n' >a.txt
soffice -env:UserInstallation=file:///tmp/profile --headless --convert-to odt a.txt
soffice -env:UserInstallation=file:///tmp/profile --headless --convert-to pdf a.odt
pdftotext a.pdf - | tr '\n' ' ' | grep -q 'Hello.*from a function'
soffice -env:UserInstallation=file:///tmp/profile --headless --convert-to docx a.odt
head -c 2 a.docx | grep -q PK
