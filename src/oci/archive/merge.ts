import type { ImageSource, ResolvedImage } from '../image-source.js';
import { applyLayer, layersOf } from '../layer.js';
import { type FileNode, type FolderNode, type LinkNode, MemoryTree } from '../rootfs/memory-tree.js';
import { ScopedPaths } from '../rootfs/scoped-paths.js';
import { Caps, FS_BLOCK } from '../rootfs/space.js';
import { RootfsWriter } from '../rootfs/writer.js';
import type { TarEntry } from '../tar/header.js';
import type { DiskUsage, ImageContents, Libc } from './index-document.js';

/** Three times the disk that a function can have: whatever is larger is no image for one, or a bomb. */
const MAX_BYTES = 3 * 10_240 * 1024 * 1024;

export interface PassOptions {
  /** Compressed bytes as they are read. */
  onBytes?: (bytes: number) => void;
  signal: AbortSignal;
}

/** An image whose layers have been read once. */
export interface MergedImage {
  image: ResolvedImage;
  tree: MemoryTree;
  contents: ImageContents;
}

/**
 * Reads an image's layers, verified, to learn what they come to: by the very writer that unpacks images, over a tree in memory.
 *
 * @throws what unpacking the image would throw
 */
export async function mergeLayers(
  image: ResolvedImage,
  source: ImageSource,
  options: PassOptions,
): Promise<MergedImage> {
  const tree = new MemoryTree();
  const budget = new Caps({ maxBytes: MAX_BYTES });
  const writer = new RootfsWriter({ tree, budget });
  const sink = {
    entry: (entry: TarEntry) => {
      tree.entry++;
      writer.entry(entry);
    },
    content: () => {},
    entryEnd: () => writer.entryEnd(),
  };
  for await (const layer of layersOf(image, source, options)) {
    writer.startLayer(layer.index === 0);
    await applyLayer(layer, sink);
  }
  writer.finish();
  return { image, tree, contents: describeTree(tree, image.config.architecture) };
}

function describeTree(tree: MemoryTree, architecture: string): ImageContents {
  const files = new Set<FileNode>();
  // The root has a folder and an inode as well.
  const disk: DiskUsage = { bytes: 0, folderBytes: folderBytes(tree.root), inodes: 1 };
  for (const [path, node] of tree.walk()) {
    if (node.type === 'file' && files.has(node)) continue;
    if (node.type === 'file') files.add(node);
    if (node.type === 'folder') disk.folderBytes += folderBytes(node);
    else disk.bytes += diskBytes(node, path);
    disk.inodes++;
  }
  const contentBytes = [...files].reduce((sum, { size }) => sum + size, 0);
  return { disk, files: files.size, contentBytes, libc: libcOf(tree, architecture) };
}

function diskBytes(node: FileNode | LinkNode, path: string): number {
  if (node.type === 'link') {
    // ext4 keeps up to 59 bytes in the inode; the way up to the root is written before an absolute target.
    const length = node.target.length + 3 * path.split('/').length;
    return length < 60 ? 0 : FS_BLOCK;
  }
  const extents = node.sparse?.segments ?? [{ offset: 0, length: node.size }];
  return extents.reduce((sum, { offset, length }) => {
    if (length === 0) return sum;
    return sum + blocks(offset + length) - Math.floor(offset / FS_BLOCK) * FS_BLOCK;
  }, 0);
}

/** Eight bytes and the name, in steps of four, for each entry (ext4's on-disk format, "Linear Directories"). */
function folderBytes({ children }: FolderNode): number {
  let bytes = 24;
  for (const name of children.keys()) bytes += 8 + 4 * Math.ceil(name.length / 4);
  return blocks(bytes);
}

function blocks(bytes: number): number {
  return Math.ceil(bytes / FS_BLOCK) * FS_BLOCK;
}

/** Where the dynamic loaders of Lambda's processors lie, by the C libraries' own conventions. */
const LOADERS: Readonly<Record<string, readonly (readonly [path: string, libc: Libc])[]>> = {
  amd64: [
    ['lib64/ld-linux-x86-64.so.2', 'glibc'],
    ['lib/ld-musl-x86_64.so.1', 'musl'],
  ],
  arm64: [
    ['lib/ld-linux-aarch64.so.1', 'glibc'],
    ['lib/ld-musl-aarch64.so.1', 'musl'],
  ],
};

function libcOf(tree: MemoryTree, architecture: string): Libc {
  const paths = new ScopedPaths(tree, () => {});
  const found = LOADERS[architecture]?.find(([path]) => {
    const slash = path.lastIndexOf('/');
    const folder = paths.existingFolder(path.slice(0, slash));
    return folder !== undefined && paths.kind(`${folder}${path.slice(slash)}`) !== undefined;
  });
  return found?.[1] ?? 'none';
}
