import { describe, expect, it } from 'vitest';
import type { ScarError } from '../../../src/errors.js';
import { formatReference, parseReference } from '../../../src/oci/reference.js';

const digest = `sha256:${'a1'.repeat(32)}`;

describe('references to a registry', () => {
  it.each([
    ['debian', 'docker.io/library/debian:latest'],
    ['debian:12', 'docker.io/library/debian:12'],
    ['user/app', 'docker.io/user/app:latest'],
    ['docker.io/debian:12', 'docker.io/library/debian:12'],
    ['index.docker.io/library/debian', 'docker.io/library/debian:latest'],
    ['ghcr.io/owner/name/part:v1.0_x-y', 'ghcr.io/owner/name/part:v1.0_x-y'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/app:1', 'localhost:5000/app:1'],
    ['127.0.0.1:5000/a/b', '127.0.0.1:5000/a/b:latest'],
    ['[::1]:5000/a', '[::1]:5000/a:latest'],
    ['Registry/a', 'Registry/a:latest'],
    [`debian@${digest}`, `docker.io/library/debian@${digest}`],
    [`debian:12@${digest}`, `docker.io/library/debian@${digest}`],
    ['a.b/c__d/e--f.g', 'a.b/c__d/e--f.g:latest'],
  ])('%s is %s', (text, full) => {
    const reference = parseReference(text);
    expect(reference).toMatchObject({ type: 'registry', text });
    expect(reference.type === 'registry' && formatReference(reference)).toBe(full);
  });

  it.each([
    ['', 'empty'],
    ['https://ghcr.io/a/b', 'leave out "https://"'],
    ['docker://debian', 'leave out "docker://"'],
    ['Debian', '"Debian" must be lower case'],
    ['ghcr.io/Owner/name', '"Owner" must be lower case'],
    ['a//b', 'a part of its name is empty'],
    ['/a', 'a part of its name is empty'],
    ['ghcr.io/', 'a part of its name is empty'],
    ['a/../b', '".." must be a-z'],
    ['a___b', '"a___b" must be'],
    ['debian:', 'the tag "" must have'],
    ['debian:-x', 'the tag "-x" must have'],
    [`debian:${'x'.repeat(129)}`, 'must have 1 to 128'],
    ['debian:a b', 'the tag "a b"'],
    ['debian@sha256:123', '"sha256:123" is no digest'],
    [`debian@sha256:${'A1'.repeat(32)}`, 'is no digest'],
    ['debian@x', '"x" is no digest'],
    ['-host.io/a', 'is no host name'],
    ['host:99999/a', 'there is no port 99999'],
    [`a/${'b'.repeat(260)}`, 'longer than 255'],
    ['debian\0', 'must be a-z'],
  ])('%j is refused: %s', (text, reason) => {
    expect(() => parseReference(text)).toThrow(reason);
    try {
      parseReference(text);
    } catch (error) {
      expect((error as ScarError).code).toBe('image-reference');
    }
  });
});

describe('references to a layout', () => {
  it.each([
    ['oci:dir', { path: 'dir' }],
    ['oci:/a/b:12', { path: '/a/b', tag: '12' }],
    ['oci:dir:docker.io/library/debian:12', { path: 'dir', tag: 'docker.io/library/debian:12' }],
    [`oci:dir@${digest}`, { path: 'dir', digest }],
    ['oci:/home/me@work/dir', { path: '/home/me@work/dir' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual({ type: 'oci', text, ...expected });
  });

  it.each(['oci:', 'oci::tag', 'oci:dir:', 'oci:dir@sha256:12'])('%s is refused', (text) => {
    expect(() => parseReference(text)).toThrow('is no image reference');
  });
});

describe('references to an archive', () => {
  it('takes a file alone, or with a name', () => {
    expect(parseReference('docker-archive:a.tar')).toEqual({
      type: 'docker-archive',
      text: 'docker-archive:a.tar',
      path: 'a.tar',
    });
    expect(parseReference('docker-archive:/x/a.tar:debian:12')).toMatchObject({ path: '/x/a.tar', name: 'debian:12' });
  });

  it('needs a file', () => expect(() => parseReference('docker-archive:')).toThrow('docker-archive:FILE.tar'));
});
