import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/**
 * Whether the other end of a loopback connection belongs to one of these users, as the kernel's own table says
 * (proc_pid_net(5): `/proc/net/tcp`, columns local_address, rem_address and uid). A loopback port is open to every
 * user of the machine; this closes it to them. Where the kernel has no such table nobody is admitted.
 */
export async function peerBelongsTo(socket: Socket, uids: ReadonlySet<number>): Promise<boolean> {
  const { localPort, remotePort } = socket;
  if (localPort === undefined || remotePort === undefined) return false;
  const theirs = `${LOOPBACK}:${hexPort(remotePort)}`;
  const ours = `${LOOPBACK}:${hexPort(localPort)}`;
  const table = await readFile('/proc/net/tcp', 'latin1').catch(() => '');
  for (const line of table.split('\n')) {
    const [, local, remote, , , , , uid] = line.trim().split(/\s+/);
    if (local === theirs && remote === ours) return uids.has(Number(uid));
  }
  return false;
}

/** 127.0.0.1 as the table writes it: 32 bits in the byte order of the machine, which is little-endian on all of ours. */
const LOOPBACK = '0100007F';

const hexPort = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
