import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type Engine, type EngineOptions, startEngine } from '../../src/local/index.js';

/** An engine with an official client of S3 for it. */
export interface S3Engine {
  readonly engine: Engine;
  readonly client: S3Client;
  /** What the engine reported as its own failures: a test that expects none can say so. */
  readonly failures: readonly unknown[];
  /** Another client, e.g. with other credentials. */
  connect(config?: S3ClientConfig): S3Client;
  close(): Promise<void>;
}

export async function startS3Engine(options: EngineOptions = {}): Promise<S3Engine> {
  const failures: unknown[] = [];
  const engine = await startEngine({ ...options, onError: (error) => failures.push(error) });
  const clients: S3Client[] = [];
  const connect = (config: S3ClientConfig = {}) => {
    const client = new S3Client({
      endpoint: engine.endpoint,
      region: engine.region,
      credentials: engine,
      forcePathStyle: true,
      maxAttempts: 1,
      ...config,
    });
    clients.push(client);
    return client;
  };
  return {
    engine,
    client: connect(),
    failures,
    connect,
    async close() {
      for (const client of clients) client.destroy();
      await engine.close();
    },
  };
}
