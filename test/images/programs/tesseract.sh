# Tesseract reads a text that ImageMagick has rendered.
cd /tmp
convert -font DejaVu-Sans -pointsize 36 -background white -fill black label:'Hello from a function' text.png
tesseract text.png text
grep -qx 'Hello from a function' text.txt
tesseract text.png words tsv
grep -q function words.tsv
