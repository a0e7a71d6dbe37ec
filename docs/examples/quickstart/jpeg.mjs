/**
 * Reads size and number of colour components from a JPEG file's frame header (ITU-T T.81, B.2.2). A gray picture has one
 * component, a coloured one three (or four, as CMYK).
 *
 * @param {Uint8Array} file
 * @returns {{ width: number, height: number, components: number }}
 * @throws Error if it is no JPEG file, or ends before its picture does
 */
export function readJpegHeader(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 4 || view.getUint16(0) !== 0xffd8) throw new Error('it does not begin as a JPEG file does');
  if (view.getUint16(file.length - 2) !== 0xffd9) throw new Error('it does not end as a JPEG file does');
  for (let at = 2; at + 10 <= file.length; at += 2 + view.getUint16(at + 2)) {
    if (view.getUint8(at) !== 0xff) throw new Error(`there is no marker at byte ${at}`);
    if (isFrameHeader(view.getUint8(at + 1))) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: view.getUint8(at + 9) };
    }
  }
  throw new Error('it has no frame header');
}

/** SOF0 to SOF15, without DHT, JPG and DAC, which lie among them (table B.1). @param {number} marker */
function isFrameHeader(marker) {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}
