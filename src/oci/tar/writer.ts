import { BLOCK, type EntryType, type SparseMap, type TarEntry } from './header.js';

const typeflags: Partial<Record<EntryType, string>> = { file: '0', link: '1', symlink: '2', directory: '5' };

/** The most that the size field's octal digits can say. */
const MAX_OCTAL_SIZE = 0o77777777777;

/** How many zeros end an archive: two blocks (POSIX.1-2017 pax, "ustar Interchange Format"). */
export const END_BYTES = 2 * BLOCK;

/**
 * The blocks that begin an entry: a ustar header, before it a PAX extended header for what that cannot say, and behind it the map
 * of a file with holes (GNU's sparse format 1.0). Content and {@link padding} follow.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const { sparse } = entry;
  const map = sparse ? sparseMap(sparse) : Buffer.alloc(0);
  const size = entry.size + map.length;
  const records = paxRecords(entry, size);
  const pax = records.length === 0 ? [] : [header({ name: '@PaxHeader', size: records.length }, 'x'), padded(records)];
  return Buffer.concat([...pax, header({ ...entry, size }, typeflags[entry.type] ?? '0'), map]);
}

/** How many zeros follow content of so many bytes. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function header(entry: Partial<TarEntry>, typeflag: string): Buffer {
  const { name = '', linkName = '', size = 0, mode = 0o644, mtime = 0 } = entry;
  const block = Buffer.alloc(BLOCK);
  block.write(name.slice(0, 100), 0, 'latin1');
  octal(block, 100, 8, mode);
  octal(block, 108, 8, 0);
  octal(block, 116, 8, 0);
  octal(block, 124, 12, size > MAX_OCTAL_SIZE ? 0 : size);
  octal(block, 136, 12, Math.floor(mtime));
  block.write(typeflag, 156, 'latin1');
  block.write(linkName.slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(' ', 148, 156);
  octal(
    block,
    148,
    7,
    block.reduce((sum, byte) => sum + byte, 0),
  );
  return block;
}

function octal(block: Buffer, offset: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  block[offset + length - 1] = 0;
}

function paxRecords({ name, linkName, mtime, sparse }: TarEntry, size: number): Buffer {
  const records: [string, string][] = [];
  if (name.length > 100) records.push(['path', name]);
  if (linkName.length > 100) records.push(['linkpath', linkName]);
  if (size > MAX_OCTAL_SIZE) records.push(['size', `${size}`]);
  if (!Number.isInteger(mtime)) records.push(['mtime', mtime.toFixed(9)]);
  if (sparse) {
    records.push(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0']);
    records.push(['GNU.sparse.name', name], ['GNU.sparse.realsize', `${sparse.size}`]);
  }
  return Buffer.from(records.map(paxRecord).join(''), 'latin1');
}

/** The length counts its own digits. */
function paxRecord([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

/** https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html, "PAX 1.0". */
function sparseMap({ segments }: SparseMap): Buffer {
  const numbers = [segments.length, ...segments.flatMap(({ offset, length }) => [offset, length])];
  return padded(Buffer.from(`${numbers.join('\n')}\n`, 'latin1'));
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);
}
