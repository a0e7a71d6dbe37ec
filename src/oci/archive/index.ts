export { bestCompression, type Compression } from './frame.js';
export { type DiskUsage, type ImageContents, type Libc, parseIndex, type RootfsIndex } from './index-document.js';
export { type MergedImage, mergeLayers } from './merge.js';
export { SpooledSource } from './spool.js';
export { type RootfsArchive, writeArchive } from './write.js';
