import { randomBytes } from 'node:crypto';

/** A key pair that the engine accepts; with a session token when it was given to a function. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * The credentials of one engine: those of whoever started it, and a session for each execution environment. They are
 * random and live in memory only, so no other user of the machine and no web page can drive the engine.
 */
export class Credentials {
  /** Printed by `scar-local`, given to the client by `ScarClient.local()`. */
  readonly owner: KeyPair = { accessKeyId: `AKIA${identifier(16)}`, secretAccessKey: secret(30) };
  private readonly known = new Map<string, KeyPair>([[this.owner.accessKeyId, this.owner]]);

  find(accessKeyId: string): KeyPair | undefined {
    return this.known.get(accessKeyId);
  }

  /** Temporary credentials, as a function gets them in its environment; valid until they are revoked. */
  issueSession(): Required<KeyPair> {
    const session = { accessKeyId: `ASIA${identifier(16)}`, secretAccessKey: secret(30), sessionToken: secret(96) };
    this.known.set(session.accessKeyId, session);
    return session;
  }

  revoke(accessKeyId: string): void {
    if (accessKeyId !== this.owner.accessKeyId) this.known.delete(accessKeyId);
  }
}

/** Letters and digits as AWS uses them in key IDs: base 32, without 0, 1, 8 and 9. */
function identifier(length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join('');
}

function secret(bytes: number): string {
  return randomBytes(bytes).toString('base64');
}
