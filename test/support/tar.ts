/** Builds tar archives byte by byte, also such as no tool would write. */

export interface TarItem {
  name: string;
  /** Default `0`, a file. */
  type?: string;
  mode?: number;
  mtime?: number;
  linkName?: string;
  content?: string | Buffer;
  /** In place of the content's length. */
  size?: number;
  /** Records of a PAX header before it. */
  pax?: readonly (readonly [string, string])[];
  /** Patches the header before its checksum is made. */
  patch?: (header: Buffer) => void;
}

const BLOCK = 512;

export const file = (name: string, content: string | Buffer = '', more: Partial<TarItem> = {}): TarItem => ({
  name,
  content,
  ...more,
});
export const folder = (name: string, mode = 0o755, more: Partial<TarItem> = {}): TarItem => ({
  name,
  type: '5',
  mode,
  ...more,
});
export const symlink = (name: string, linkName: string): TarItem => ({ name, type: '2', linkName, mode: 0o777 });
export const hardLink = (name: string, linkName: string): TarItem => ({ name, type: '1', linkName });

/** A whole archive, with its end. */
export function tar(...items: TarItem[]): Buffer {
  return Buffer.concat([...items.map(entry), Buffer.alloc(2 * BLOCK)]);
}

/** One entry: its PAX or GNU long-name headers as far as it needs them, header, content, padding. */
export function entry(item: TarItem): Buffer {
  const content = Buffer.from(item.content ?? '');
  const parts: Buffer[] = [];
  if (item.pax) parts.push(padded(header({ name: 'pax', type: 'x' }, paxBody(item.pax)), paxBody(item.pax)));
  for (const [flag, text] of [
    ['K', item.linkName ?? ''],
    ['L', item.name],
  ] as const) {
    if (Buffer.byteLength(text) > 100) {
      const body = Buffer.from(`${text}\0`);
      parts.push(padded(header({ name: '././@LongLink', type: flag }, body), body));
    }
  }
  parts.push(padded(header(item, content), content));
  return Buffer.concat(parts);
}

export function paxBody(records: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const rest = Buffer.from(` ${key}=${value}\n`);
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}

function header(item: TarItem, content: Buffer): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  Buffer.from(item.name).copy(block, 0, 0, 100);
  block.write(octal(item.mode ?? 0o644, 8), 100, 'latin1');
  block.write(octal(0, 8) + octal(0, 8), 108, 'latin1');
  block.write(octal(item.size ?? content.length, 12), 124, 'latin1');
  block.write(octal(item.mtime ?? 1_600_000_000, 12), 136, 'latin1');
  block.write(item.type ?? '0', 156, 'latin1');
  Buffer.from(item.linkName ?? '').copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  item.patch?.(block);
  seal(block);
  return block;
}

/** Writes the checksum. */
export function seal(block: Buffer): void {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function padded(head: Buffer, content: Buffer): Buffer {
  return Buffer.concat([head, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}
