import { describe, expect, it } from 'vitest';
import { inputFileName, isFolderMarker } from '../../../supervisor/stage-in.js';

describe('inputFileName', () => {
  it.each([
    ['input/a.png', 'a.png'],
    ['a b+c%41.png', 'a b+c%41.png'],
    ['ü/日本.txt', '日本.txt'],
    ['input/..', '%2E%2E'],
    ['.', '%2E'],
    ['input/...', '...'],
    ['input/.hidden', '.hidden'],
    ['a\0b', 'a%00b'],
    ['input/', ''],
  ])('%j becomes %j', (key, name) => expect(inputFileName(key)).toBe(name));

  it('keeps a name of 255 bytes, and cuts a longer one before its extension', () => {
    const fits = `${'a'.repeat(251)}.png`;
    expect(inputFileName(`input/${fits}`)).toBe(fits);
    const long = inputFileName(`input/${'ä'.repeat(300)}.tar.gz`);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(long)).toBeGreaterThan(250);
    expect(long).toMatch(/^ä+-[0-9a-f]{12}\.gz$/);
  });

  it('gives different long keys different names', () => {
    expect(inputFileName(`x/${'a'.repeat(300)}`)).not.toBe(inputFileName(`y/${'a'.repeat(300)}`));
  });

  it('does not take a whole long name for an extension', () => {
    expect(Buffer.byteLength(inputFileName(`a.${'b'.repeat(400)}`))).toBeLessThanOrEqual(255);
  });
});

describe('isFolderMarker', () => {
  it('is an empty object whose key ends in a slash', () => {
    expect(isFolderMarker({ bucket: 'b', key: 'input/', bytes: 0 })).toBe(true);
    expect(isFolderMarker({ bucket: 'b', key: 'input/' })).toBe(true);
    expect(isFolderMarker({ bucket: 'b', key: 'input/', bytes: 4 })).toBe(false);
    expect(isFolderMarker({ bucket: 'b', key: 'input/a', bytes: 0 })).toBe(false);
  });
});
