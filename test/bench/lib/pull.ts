// Cold invocations by where the image comes from, for pull.mjs.
import type { ScarClient } from '../../../src/index.js';
import { skopeoCopy, startRegistry } from '../../support/registry.js';

/** Both take turns; the first round is not counted. */
export async function pulls(Client: typeof ScarClient, layout: string, runs: number) {
  await using registry = await startRegistry();
  await skopeoCopy(layout, `docker://${registry.host}/bench:it`);
  const scar = await Client.local();
  const measured = { cache: [] as number[], registry: [] as number[], createMs: [] as number[] };
  const create = async (name: string, imageSource: 'cache' | 'registry') => {
    const started = performance.now();
    await scar.createFunction({
      name,
      image: `${registry.host}/bench:it`,
      args: ['true'],
      memoryMiB: 1024,
      imageSource,
    });
    return performance.now() - started;
  };
  try {
    // The image stays in the bucket while this function has it.
    measured.createMs.push(await create('keeper', 'cache'));
    for (let run = 0; run <= runs; run++) {
      for (const source of ['cache', 'registry'] as const) {
        const createMs = await create(source, source);
        const { timings, error } = await scar.invoke(source);
        if (error) throw error;
        await scar.deleteFunction(source);
        if (run === 0) continue;
        measured[source].push(timings.pullMs);
        if (source === 'cache') measured.createMs.push(createMs);
      }
    }
  } finally {
    await scar.close();
  }
  return measured;
}
