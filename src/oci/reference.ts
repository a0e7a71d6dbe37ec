import { ImageError } from '../errors.js';
import { isDigest } from './digest.js';

/** An image that somebody named, told apart by where it is. */
export type ImageReference = RegistryReference | LayoutReference | ArchiveReference;

/** `debian`, `docker.io/library/debian:12`, `localhost:5000/a/b@sha256:...`. */
export interface RegistryReference {
  type: 'registry';
  /** As the user wrote it. */
  text: string;
  /** Host, with the port if one was given: `docker.io`, `localhost:5000`. */
  registry: string;
  /** `library/debian`. */
  repository: string;
  /** Default `latest`, unless a digest is given. */
  tag?: string;
  /** Wins over the tag. */
  digest?: string;
}

/** `oci:DIR[:TAG]` or `oci:DIR@DIGEST`: a folder in the OCI image layout. */
export interface LayoutReference {
  type: 'oci';
  text: string;
  path: string;
  tag?: string;
  digest?: string;
}

/** `docker-archive:FILE.tar[:NAME:TAG]`: what `docker save` writes. */
export interface ArchiveReference {
  type: 'docker-archive';
  text: string;
  path: string;
  /** The image in it, when it holds several: `debian:12`. */
  name?: string;
}

/** Docker Hub's name in references; its API has another. */
export const DOCKER_HUB = 'docker.io';

/**
 * Parses an image reference. The grammar for registries is Docker's
 * (https://pkg.go.dev/github.com/distribution/reference), with its defaults: Docker Hub, `library/`, `latest`.
 *
 * @throws ImageError `image-reference`, saying which part breaks which rule
 * @example parseReference('debian:12').repository // 'library/debian'
 */
export function parseReference(text: string): ImageReference {
  if (typeof text !== 'string' || text === '') throw invalid(text, 'it is empty');
  if (text.startsWith('oci:')) return parseLayout(text);
  if (text.startsWith('docker-archive:')) return parseArchive(text);
  return parseRegistry(text);
}

/** The form that means the same image everywhere: with registry, and the digest if there is one. */
export function formatReference(reference: RegistryReference): string {
  const { registry, repository, tag, digest } = reference;
  return `${registry}/${repository}${digest ? `@${digest}` : `:${tag ?? 'latest'}`}`;
}

function parseLayout(text: string): LayoutReference {
  const { rest, digest } = cutDigest(text, text.slice('oci:'.length));
  const { path, name } = cutPath(text, rest, 'oci:DIR[:TAG]');
  return { type: 'oci', text, path, ...(name && { tag: name }), ...(digest && { digest }) };
}

function parseArchive(text: string): ArchiveReference {
  const { path, name } = cutPath(text, text.slice('docker-archive:'.length), 'docker-archive:FILE.tar[:NAME:TAG]');
  return { type: 'docker-archive', text, path, ...(name && { name }) };
}

/** A path may not hold a colon, as for skopeo: what follows the first one names the image. */
function cutPath(text: string, rest: string, form: string): { path: string; name?: string } {
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const name = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === '' || name === '') throw invalid(text, `it must have the form ${form}`);
  if (text.includes('\0')) throw invalid(text, 'it has a NUL');
  return { path, ...(name !== undefined && { name }) };
}

function cutDigest(text: string, rest: string): { rest: string; digest?: string } {
  const at = rest.lastIndexOf('@');
  if (at < 0) return { rest };
  const digest = rest.slice(at + 1);
  if (isDigest(digest)) return { rest: rest.slice(0, at), digest };
  // A folder may have an "@" in its name; what looks like a digest and is none is a mistake.
  if (!/^[a-z0-9+._-]+:/i.test(digest)) return { rest };
  throw invalid(text, `"${digest}" is no digest: it must be sha256: and 64 hex digits (0-9, a-f)`);
}

const COMPONENT = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/;
const LABEL = '[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?';
const HOST = new RegExp(`^(${LABEL}(\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(:[0-9]+)?$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

function parseRegistry(text: string): RegistryReference {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[0];
  if (scheme) throw invalid(text, `leave out "${scheme}"; an image is named like docker.io/library/debian:12`);
  const { rest, digest } = cutDigest(text, text);
  if (rest.includes('@')) throw invalid(text, `"${rest.slice(rest.indexOf('@') + 1)}" is no digest`);
  // A colon before the last slash belongs to a port.
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const name = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(text, `the tag "${tag}" must have 1 to 128 of A-Z a-z 0-9 _ . - and begin with none of . and -`);
  }
  const { registry, repository } = parseName(text, name);
  return {
    type: 'registry',
    text,
    registry,
    repository,
    ...(digest ? { ...(tag && { tag }), digest } : { tag: tag ?? 'latest' }),
  };
}

function parseName(text: string, name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  // Docker's rule: the first component is a host if it could be no component of a repository on Docker Hub.
  const hasHost = first === 'localhost' || /[.:]/.test(first) || first !== first.toLowerCase();
  const host = hasHost ? first : DOCKER_HUB;
  const path = hasHost ? name.slice(slash + 1) : name;
  if (!HOST.test(host)) throw invalid(text, `"${host}" is no host name (with a port, if any, as in localhost:5000)`);
  const port = /:([0-9]+)$/.exec(host)?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw invalid(text, `there is no port ${port}`);
  for (const component of path.split('/')) {
    if (!COMPONENT.test(component)) throw invalid(text, describeComponent(component));
  }
  if (name.length > 255) throw invalid(text, 'its name is longer than 255 characters');
  const registry = host === 'index.docker.io' || host === 'registry-1.docker.io' ? DOCKER_HUB : host;
  return { registry, repository: registry === DOCKER_HUB && !path.includes('/') ? `library/${path}` : path };
}

function describeComponent(component: string): string {
  if (component === '') return 'a part of its name is empty';
  const rule = 'must be a-z and 0-9, with . _ __ or - between them';
  if (/[A-Z]/.test(component)) return `"${component}" must be lower case`;
  return `"${component}" ${rule}`;
}

function invalid(text: string, reason: string): ImageError {
  const shown = JSON.stringify(text)?.slice(0, 300);
  return new ImageError(
    'image-reference',
    `${shown} is no image reference: ${reason}. Expected [HOST[:PORT]/]NAME[:TAG][@DIGEST], oci:DIR[:TAG] or ` +
      'docker-archive:FILE.tar[:NAME:TAG].',
    { context: { reference: text } },
  );
}
