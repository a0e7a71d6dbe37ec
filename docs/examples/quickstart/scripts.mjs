/**
 * What runs in the container for every picture, in the style of the paper's figure 8: the input is a file, the output is a
 * folder, and neither knows of S3.
 */
export const grayify = `#!/bin/sh
set -e
OUTPUT_DIR="/tmp/$REQUEST_ID/output"
FILENAME="$(basename "$SCAR_INPUT_FILE")"
convert "$SCAR_INPUT_FILE" -colorspace Gray "$OUTPUT_DIR/$FILENAME"
echo "grayified $FILENAME"
`;

/**
 * Decodes a picture and prints its width, its height, and the highest saturation of a pixel: 0 if it is gray throughout.
 *
 * @param {string} picture - as the shell reads it
 */
export const measure = (picture) => `#!/bin/sh
exec convert ${picture} -colorspace HSL -channel G -separate +channel -format '%w %h %[fx:maxima]\\n' info:
`;
