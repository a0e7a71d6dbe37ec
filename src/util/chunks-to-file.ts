import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** Up to here a file is written at once, without a turn of the event loop for opening, writing and closing it. */
const SMALL_BYTES = 256 * 1024;

/** Writes what comes into a file, which is replaced. @param bytes - how much that is going to be */
export async function chunksToFile(chunks: AsyncIterable<Uint8Array>, file: string, bytes: number): Promise<void> {
  if (bytes <= SMALL_BYTES) {
    const pieces: Uint8Array[] = [];
    for await (const chunk of chunks) pieces.push(chunk);
    writeFileSync(file, Buffer.concat(pieces));
    return;
  }
  const handle = await open(file, 'w');
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
  } finally {
    await handle.close();
  }
}
