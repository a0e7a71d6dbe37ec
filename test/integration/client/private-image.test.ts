import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxMissing } from '../../support/busybox.js';
import { type LocalClient, startLocalClient } from '../../support/local-client.js';
import { registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';
import { temporaryFolder } from '../../support/temporary.js';

const missing = registryMissing ?? busyboxMissing;
const password = 'p:ä ss';
/** bcrypt of it, the one form that the registry's htpasswd takes. */
const hash = '$2b$05$RQG0RM4SNU2HBtMY12W2xeLLQ1RTEXuQg4Y11HbB8fRqzt35UCl8u';

describe.skipIf(missing)(`an image of a registry (${missing ?? "with Docker's logins at hand"})`, () => {
  let local: LocalClient;
  let docker: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeAll(async () => {
    docker = await temporaryFolder();
    local = await startLocalClient({ dockerConfig: docker.path });
  });
  afterAll(async () => {
    await local?.close();
    await docker?.[Symbol.asyncDispose]();
  });

  const keep = (config: object) => writeFile(join(docker.path, 'config.json'), JSON.stringify(config));
  const privateRegistry = async () => {
    const users = join(local.folder, 'htpasswd');
    await writeFile(users, `me:${hash}\n`);
    const registry = await startRegistry({ configuration: `auth: { htpasswd: { realm: test, path: ${users} } }` });
    await skopeoCopy(local.image, `docker://${registry.host}/team/app:1.0`, `--dest-creds=me:${password}`);
    return registry;
  };

  it('that wants a login gets the one that docker keeps, and does without the registry then', async () => {
    await using registry = await privateRegistry();
    await keep({ auths: { [registry.host]: { auth: Buffer.from(`me:${password}`).toString('base64') } } });
    const { scar } = local;
    const image = `${registry.host}/team/app:1.0`;
    await scar.createFunction({ name: 'private', image, args: ['echo', 'here'] });
    // The function does without the registry, whose password it was never given.
    await registry[Symbol.asyncDispose]();
    expect(await scar.invoke('private')).toMatchObject({ status: 'succeeded', stdout: { text: 'here\n' } });
    expect(JSON.stringify(await scar.getFunction('private'))).not.toContain(password);
    await scar.deleteFunction('private');
  });

  it('is refused with what the registry says where no login fits', async () => {
    await using registry = await privateRegistry();
    const create = (imageSource?: 'registry') =>
      local.scar.createFunction({
        name: 'private',
        image: `${registry.host}/team/app:1.0`,
        ...(imageSource && { imageSource }),
      });
    await local.leavesNothing(async () => {
      await keep({});
      await expect(create()).rejects.toMatchObject({
        code: 'registry-denied',
        message: expect.stringContaining('docker login'),
      });
      await keep({ auths: { [registry.host]: { auth: Buffer.from('me:hunter2').toString('base64') } } });
      await expect(create()).rejects.toMatchObject({ message: expect.stringMatching(/were not accepted/) });
      await expect(create('registry')).rejects.toMatchObject({ message: expect.stringMatching(/needs credentials/) });
      await keep({ credsStore: 'nowhere' });
      await expect(create()).rejects.toMatchObject({ message: expect.stringMatching(/docker-credential-nowhere/) });
    });
  });

  it('that is for everybody is asked without one', async () => {
    await keep({ credsStore: 'nowhere' });
    await using registry = await startRegistry();
    await skopeoCopy(local.image, `docker://${registry.host}/team/app:1.0`);
    await local.scar.createFunction({ name: 'public', image: `${registry.host}/team/app:1.0`, args: ['echo', 'here'] });
    expect(await local.scar.invoke('public')).toMatchObject({ status: 'succeeded', stdout: { text: 'here\n' } });
    await local.scar.deleteFunction('public');
  });
});
