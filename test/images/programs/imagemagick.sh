# ImageMagick: draws, resizes, writes JPEG, PNG, TIFF, WebP and GIF, and compares what is read back.
cd /tmp
convert -size 400x300 gradient:red-blue -fill white -draw 'circle 200,150 200,50' a.png
for type in jpg png tiff webp gif; do
  convert a.png -resize 50% b.$type
  test "$(identify -format '%wx%h ' b.$type)" = '200x150 '
done
convert b.png b.tiff -metric AE -compare -format '%[distortion]' info: | grep -qx 0
convert -delay 10 b.png b.jpg c.gif
test "$(identify c.gif | wc -l)" -eq 2
