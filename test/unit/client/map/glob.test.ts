import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGlob } from '../../../../src/client/map/glob.js';

const matches = (glob: string, key: string) => parseGlob('glob', glob).matches(key);

describe('a glob', () => {
  const cases: [glob: string, matching: string[], others: string[]][] = [
    [
      'in/*.jpg',
      ['in/a.jpg', 'in/.jpg', 'in/..jpg'],
      ['in/a/b.jpg', 'in/a.jpeg', 'xin/a.jpg', 'in/a.jpg/', 'IN/a.jpg'],
    ],
    ['*', ['a', '.hidden'], ['a/b', '/']],
    ['**', ['a', 'a/b', '/', 'a\nb'], []],
    ['in/**', ['in/', 'in/a', 'in/a/b'], ['in', 'inn/a']],
    ['in/**/*.jpg', ['in/a.jpg', 'in/a/b.jpg', 'in/a/b/c.jpg', 'in//a.jpg'], ['in/a.png', 'inn/a.jpg']],
    ['**/a', ['a', 'b/a', 'b/c/a'], ['ba', 'b/ca']],
    ['{**/,x}a', ['a', 'b/a', 'xa'], ['ba', 'xba']],
    ['x**/a', ['x/a', 'xy/a', 'x/y/a'], ['xa', 'a']],
    ['a?c', ['abc', 'aéc', 'a🎞c'], ['ac', 'a/c', 'abbc']],
    ['[a-c]', ['a', 'b', 'c'], ['d', 'A', 'ab', '']],
    ['[!a-c]', ['d', '-'], ['a', '/', '']],
    ['[^a]', ['b'], ['a', '/']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a-]', ['a', '-'], ['b']],
    ['[.-0]', ['.', '0'], ['/']],
    ['[\\]x]', [']', 'x'], ['\\']],
    ['[🎞-🎟]', ['🎞', '🎟'], ['a']],
    ['{a,b}.{jpg,png}', ['a.jpg', 'b.png'], ['a.gif', 'c.jpg', 'a,b.jpg']],
    ['a{,b}', ['a', 'ab'], ['b']],
    ['{a,b{c,d}}e', ['ae', 'bce', 'bde'], ['be']],
    ['a,b}', ['a,b}'], ['a']],
    ['\\*\\{\\[\\?\\\\', ['*{[?\\'], ['a{[?\\']],
    ['a.(b)+$', ['a.(b)+$'], ['ax(b)+$', 'a.bb']],
  ];
  it.each(cases)('%s', (glob, matching, others) => {
    for (const key of matching) expect(matches(glob, key), key).toBe(true);
    for (const key of others) expect(matches(glob, key), key).toBe(false);
  });

  it.each([
    ['in/2026-*/a', 'in/2026-'],
    ['in/\\*/{a,b}', 'in/*/'],
    ['{in,on}/a', ''],
    ['a', 'a'],
  ])('begins %s with what is literal: %s', (glob, literal) => {
    expect(parseGlob('glob', glob).literal).toBe(literal);
  });

  it.each([
    ['in/*.jpg', 'in/', true],
    ['in/*.jpg', 'i', true],
    ['in/*.jpg', 'in/a', true],
    ['*.jpg', 'in/', false],
    ['on/*', 'in/', false],
    ['**/*.jpg', 'in/', true],
    ['a', 'ab', false],
  ])('%s can match keys that begin with %s: %s', (glob, prefix, can) => {
    expect(parseGlob('glob', glob).canBegin(prefix)).toBe(can);
  });

  it.each([
    ['', /^glob must be a pattern of 1 to 1024 characters; received ""/],
    ['a'.repeat(1025), /^glob must be a pattern of 1 to 1024 characters/],
    ['a[b', /^glob must close each \[ with a \]; received "a\[b"/],
    ['a[]', /^glob must close each \[/],
    ['a{b,c', /^glob must close each \{ with a \}/],
    ['a{b}', /^glob must have at least two alternatives.*\\\{/],
    ['img{1..9}', /^glob must have at least two alternatives/],
    ['[z-a]', /^glob must have ranges like \[a-z\] in rising order/],
    ['a\\', /^glob must have a character after each backslash/],
  ])('refuses %s', (glob, message) => {
    expect(() => parseGlob('glob', glob)).toThrow(message);
  });

  // With a regular expression each of these would take longer than the universe has.
  it.each([
    ['stars', `${'*a'.repeat(500)}b`],
    ['alternatives', `${'{a,aa}'.repeat(150)}b`],
    ['nested alternatives', `${'{a,'.repeat(200)}a${'}'.repeat(200)}${'*'.repeat(99)}b`],
    ['double stars', `${'{**,**}'.repeat(140)}b`],
    ['folders', `${'**/'.repeat(300)}b`],
  ])('of many %s is decided all the same', (_, glob) => {
    expect(matches(glob, 'a'.repeat(1024))).toBe(false);
    expect(matches(glob, 'a/'.repeat(512))).toBe(false);
  });

  it('matches as its translation to a regular expression does', () => {
    const piece = fc.constantFrom(
      ['a', 'a'],
      ['/', '\\/'],
      ['?', '[^/]'],
      ['*b', '[^/]*b'],
      ['[!a]', '[^a/]'],
      ['{a,/b}', '(?:a|\\/b)'],
    );
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), key, (pieces, text) => {
        const expected = new RegExp(`^${pieces.map(([, regExp]) => regExp).join('')}$`).test(text);
        expect(matches(pieces.map(([glob]) => glob).join(''), text)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
