import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { ContractValues } from './container/environment.js';
import { fitsVariable } from './container/environment.js';
import type { ContainerFolders } from './container/folders.js';
import type { EventRecord } from './event.js';

/** Name of the event's file in the request's folder: the first versions of SCAR put it there. */
const EVENT_FILE = 'event.json';

/**
 * The values of the contract's variables for one container, and the file with its event, which is always whole: as a
 * variable Linux allows 128 KiB, and a longer event is only in the file.
 */
export function contractValues(
  requestId: string,
  { event, eventTime, input }: EventRecord,
  folders: ContainerFolders,
  inputName: string | undefined,
): ContractValues {
  const text = JSON.stringify(event);
  writeFileSync(join(folders.host.request, EVENT_FILE), text);
  return {
    requestId,
    inputFile: inputName === undefined ? undefined : `${folders.input}/${inputName}`,
    inputDirectory: folders.input,
    outputDirectory: folders.output,
    objectKey: input?.key,
    chunkIndex: input?.chunk?.index.toString(),
    chunkCount: input?.chunk?.count.toString(),
    chunkStart: input?.chunk?.start?.toString(),
    chunkEnd: input?.chunk?.end?.toString(),
    eventTime,
    event: fitsVariable('EVENT', text) ? text : undefined,
    instanceIp: instanceIp(),
    extraPayload: folders.extraPayload,
  };
}

let address: string | undefined;

/** Address of the environment on its network, which it keeps; the loopback's where it has none. */
function instanceIp(): string {
  address ??= Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  return address ?? '127.0.0.1';
}
