import { randomUUID } from 'node:crypto';
import { arch } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionVersion } from '../../environment/function-version.js';
import type { CodePackage, CodeStore } from './code-store.js';
import type { EnvironmentPool } from './environment-pool.js';
import { errors } from './errors.js';
import { functionArn } from './function-name.js';
import { type FunctionRecord, type FunctionSettings, functionVersion } from './function-record.js';
import type { FunctionStore } from './function-store.js';
import { ZipError } from './zip.js';

/** The architecture of this machine, in Lambda's words: the only one whose functions it can run. */
export const HOST_ARCHITECTURE: FunctionRecord['architecture'] = arch() === 'arm64' ? 'arm64' : 'x86_64';

export interface FunctionsOptions {
  readonly region: string;
  readonly accountId: string;
  /** How long a function is at least Pending, and an update InProgress, in ms. */
  readonly stateDelayMs: number;
}

/** The life of functions: made Pending, then Active; changed in progress, then successful; deleted. */
export class Functions {
  /** Told when a function has become Active, or a change of it successful. */
  onActive: () => void = () => {};
  readonly #store: FunctionStore;
  readonly #code: CodeStore;
  readonly #pool: EnvironmentPool;
  readonly #options: FunctionsOptions;
  /** What invocations run now, by function. */
  readonly #versions = new Map<string, FunctionVersion>();
  /** The latest change of each function that is still on its way; an older one that ends later is void. */
  readonly #changes = new Map<string, symbol>();
  readonly #work = new Set<Promise<void>>();

  constructor(store: FunctionStore, code: CodeStore, pool: EnvironmentPool, options: FunctionsOptions) {
    this.#store = store;
    this.#code = code;
    this.#pool = pool;
    this.#options = options;
  }

  /** Makes the functions of an earlier engine ready, also those whose change it did not finish. */
  async restore(): Promise<void> {
    await Promise.all(this.#store.all().map((record) => this.#activate(record, 0)));
  }

  /** @throws ServiceError `ResourceNotFoundException` */
  get(name: string): FunctionRecord {
    const record = this.#store.find(name);
    if (!record) throw errors.functionNotFound(this.arn(name));
    return record;
  }

  all(): FunctionRecord[] {
    return this.#store.all();
  }

  arn(name: string, qualifier?: string): string {
    return functionArn(this.#options.region, this.#options.accountId, name, qualifier);
  }

  /** What an invocation runs now. @throws ServiceError when there is no such function, or it is not Active */
  version(name: string): FunctionVersion {
    const record = this.get(name);
    const version = this.#versions.get(name);
    if (record.state !== 'Active' || !version) throw errors.notInvocable(record.state);
    return version;
  }

  /** Makes a function that is Pending. The zip has been stored in the same turn, so that it cannot be collected. */
  create(
    name: string,
    settings: FunctionSettings,
    code: CodePackage,
    tags: Readonly<Record<string, string>>,
  ): FunctionRecord {
    if (this.#store.find(name)) throw errors.functionExists(name);
    const record: FunctionRecord = {
      name,
      arn: this.arn(name),
      architecture: HOST_ARCHITECTURE,
      settings,
      codeSha256: code.sha256,
      codeSize: code.size,
      lastModified: new Date().toISOString(),
      revisionId: randomUUID(),
      state: 'Pending',
      stateReason: 'The function is being created.',
      lastUpdateStatus: 'Successful',
      tags,
      policy: [],
    };
    this.#store.save(record);
    this.#background(this.#activate(record, this.#options.stateDelayMs));
    return record;
  }

  /** @throws ServiceError when the function cannot be changed now */
  checkChangeable(name: string, revisionId: string | undefined): FunctionRecord {
    const record = this.get(name);
    if (record.state === 'Pending' || record.lastUpdateStatus === 'InProgress')
      throw errors.updateInProgress(record.arn);
    if (revisionId !== undefined && revisionId !== record.revisionId) throw errors.revisionMismatch();
    return record;
  }

  /** Begins a change of settings or code; invocations see it when it is Successful. */
  change(name: string, change: { settings?: FunctionSettings; code?: CodePackage }): FunctionRecord {
    const record = this.get(name);
    const changed: FunctionRecord = {
      ...record,
      settings: change.settings ?? record.settings,
      codeSha256: change.code?.sha256 ?? record.codeSha256,
      codeSize: change.code?.size ?? record.codeSize,
      lastModified: new Date().toISOString(),
      revisionId: randomUUID(),
      lastUpdateStatus: 'InProgress',
      lastUpdateStatusReason: 'The function is being updated.',
    };
    this.#store.save(changed);
    this.#background(this.#activate(changed, this.#options.stateDelayMs).then(() => this.#collect(record.codeSha256)));
    return changed;
  }

  /** Changes what takes effect at once: tags, policy, reservation. */
  amend(name: string, amend: (record: FunctionRecord) => FunctionRecord): FunctionRecord {
    const amended = amend(this.get(name));
    this.#store.save(amended);
    return amended;
  }

  delete(name: string): void {
    const record = this.get(name);
    this.#store.delete(name);
    this.#versions.delete(name);
    this.#changes.delete(name);
    this.#background(this.#pool.retire(name).then(() => this.#collect(record.codeSha256)));
  }

  /** Resolves when no change is on its way any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#work);
  }

  async #activate(record: FunctionRecord, delayMs: number): Promise<void> {
    const change = Symbol(record.name);
    this.#changes.set(record.name, change);
    const [outcome] = await Promise.all([this.#unpack(record), delayMs > 0 ? sleep(delayMs) : undefined]);
    const current = this.#store.find(record.name);
    if (!current || this.#changes.get(record.name) !== change) return;
    this.#changes.delete(record.name);
    const { stateReason: _state, lastUpdateStatusReason: _update, ...settled } = current;
    if (typeof outcome === 'string') {
      const version = functionVersion(current, outcome);
      this.#versions.set(record.name, version);
      this.#store.save({ ...settled, state: 'Active', lastUpdateStatus: 'Successful' });
      this.onActive();
      await this.#pool.serve(version);
    } else {
      const failed = record.state === 'Pending' ? ({ state: 'Failed', stateReason: outcome.failure } as const) : {};
      this.#store.save({ ...settled, ...failed, lastUpdateStatus: 'Failed', lastUpdateStatusReason: outcome.failure });
    }
  }

  async #unpack(record: FunctionRecord): Promise<string | { failure: string }> {
    try {
      return await this.#code.unpack(record.codeSha256);
    } catch (error) {
      const reason = error instanceof ZipError ? error.message : `unzipping failed: ${String(error)}`;
      return { failure: reason };
    }
  }

  /** Removes a package that no function has any more. */
  async #collect(sha256: string): Promise<void> {
    if (this.#store.all().some((record) => record.codeSha256 === sha256)) return;
    await this.#code.remove(sha256);
  }

  #background(work: Promise<void>): void {
    const tracked = work.catch(() => {}).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }
}
