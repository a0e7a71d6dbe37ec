# GDAL: a raster is made, warped between projections, compressed, and described; vectors become GeoJSON.
cd /tmp
printf 'ncols 4\nnrows 4\nxllcorner 10\nyllcorner 50\ncellsize 0.5\n1 2 3 4\n5 6 7 8\n9 10 11 12\n13 14 15 16\n' >a.asc
gdal_translate -q -a_srs EPSG:4326 -co COMPRESS=DEFLATE a.asc a.tif
gdalwarp -q -t_srs EPSG:3857 a.tif b.tif
gdalinfo -stats b.tif | grep -q 'STATISTICS_MAXIMUM=16'
printf 'x,y,name\n10,50,one\n' >p.csv
ogr2ogr -f GeoJSON p.json p.csv -oo X_POSSIBLE_NAMES=x -oo Y_POSSIBLE_NAMES=y && grep -q '"coordinates": \[ 10.0, 50.0 \]' p.json
