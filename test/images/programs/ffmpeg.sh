# ffmpeg: two seconds of picture and sound to H.264 (x264, threads) and AAC in MP4, probed, decoded again, and a frame as PNG.
cd /tmp
ffmpeg -v error -f lavfi -i testsrc=duration=2:size=320x240:rate=25 -f lavfi -i sine=duration=2 -c:v libx264 -preset fast -c:a aac -pix_fmt yuv420p a.mp4
test "$(ffprobe -v error -count_frames -select_streams v -show_entries stream=codec_name,width,nb_read_frames -of csv=p=0 a.mp4)" = h264,320,50
ffmpeg -v error -i a.mp4 -f rawvideo -pix_fmt gray - | wc -c | grep -qx $((320 * 240 * 50))
ffmpeg -v error -i a.mp4 -frames:v 1 a.png
ffmpeg -v error -i a.png -i a.mp4 -filter_complex '[0][1]psnr=stats_file=/tmp/psnr' -frames:v 1 -f null -
grep -q 'psnr_avg:\(inf\|[3-9][0-9]\)' psnr
