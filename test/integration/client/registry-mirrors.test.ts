import { describe, expect, it } from 'vitest';
import { busyboxMissing } from '../../support/busybox.js';
import { closedPort } from '../../support/closed-port.js';
import { startLocalClient } from '../../support/local-client.js';
import { registryMissing, skopeoCopy, startRegistry } from '../../support/registry.js';

const missing = registryMissing ?? busyboxMissing;

describe.skipIf(missing)(`registries that have mirrors${missing ? ` (${missing})` : ''}`, () => {
  it('are not needed where a mirror has the image, here and in the function', async () => {
    await using mirror = await startRegistry();
    const registry = `127.0.0.1:${await closedPort()}`;
    const gone = `127.0.0.1:${await closedPort()}`;
    const local = await startLocalClient({ registryMirrors: { [registry]: [gone, `${mirror.host}/copies`] } });
    try {
      await skopeoCopy(local.image, `docker://${mirror.host}/copies/team/app:1.0`);
      const warnings: string[] = [];
      local.scar.on('warning', ({ code, message }) => warnings.push(`${code}: ${message}`));
      await local.scar.createFunction({
        name: 'mirrored',
        imageSource: 'registry',
        image: `${registry}/team/app:1.0`,
        args: ['echo', 'here'],
      });
      expect(warnings).toEqual([
        expect.stringMatching(`^mirror-passed-over: A mirror is passed over: ${gone} could not`),
      ]);
      const result = await local.scar.invoke('mirrored');
      expect(result).toMatchObject({ status: 'succeeded', pulled: true, stdout: { text: 'here\n' } });
      expect(result.logs).toContain(`scar: A mirror is passed over: ${gone}`);
      await local.scar.deleteFunction('mirrored');
    } finally {
      await local.close();
    }
  });
});
