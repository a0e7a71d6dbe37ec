import {
  AbortMultipartUploadCommand,
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteBucketCommand,
  type Event as EventName,
  GetBucketNotificationConfigurationCommand,
  HeadBucketCommand,
  type LambdaFunctionConfiguration,
  ListMultipartUploadsCommand,
  type NotificationConfiguration,
  PutBucketNotificationConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { ScarError } from '../errors.js';
import { awsErrorName, awsStatus, fromAwsError } from './errors.js';

/** One entry of a bucket's notification configuration that sends events to a function. */
export interface FunctionNotification {
  id: string;
  functionArn: string;
  events: string[];
  prefix: string;
  suffix: string;
}

/**
 * Buckets themselves: their existence and their notifications. Errors are `ScarError`s: `bucket-not-found`,
 * `permission-denied`, `throttled`, `service`. An abort throws the signal's reason.
 */
export class BucketService {
  readonly #client: S3Client;
  /** The last change of each bucket's notifications: they replace the whole, so that two at once would lose one. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(client: S3Client) {
    this.#client = client;
  }

  async exists(bucket: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: bucket }), sending(signal));
      return true;
    } catch (error) {
      if (awsStatus(error) === 404) return false;
      throw bucketError(error, bucket, `look for bucket ${bucket}`, 's3:ListBucket', signal);
    }
  }

  /** Creates a private bucket unless there is one. Returns whether it did. */
  async create(bucket: string, region: string, signal?: AbortSignal): Promise<boolean> {
    // Asked for, because us-east-1 answers its owner as if it had just made a bucket that is there.
    if (await this.exists(bucket, signal)) return false;
    // us-east-1 is the one Region that must not be named
    // (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html).
    const location = region === 'us-east-1' ? undefined : (region as BucketLocationConstraint);
    // There, creating a bucket of one's own once more succeeds, as if it had been made just now (same page, "Errors").
    if (location === undefined && (await this.exists(bucket, signal))) return false;
    const command = new CreateBucketCommand({
      Bucket: bucket,
      CreateBucketConfiguration: location && { LocationConstraint: location },
    });
    try {
      await this.#client.send(command, sending(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === 'BucketAlreadyOwnedByYou') return false;
      throw bucketError(error, bucket, `create bucket ${bucket}`, 's3:CreateBucket', signal);
    }
  }

  /** Deletes a bucket if nobody has put anything into it; fine if there is none. */
  async deleteIfEmpty(bucket: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#client.send(new DeleteBucketCommand({ Bucket: bucket }), sending(signal));
    } catch (error) {
      if (['NoSuchBucket', 'BucketNotEmpty'].includes(awsErrorName(error))) return;
      throw bucketError(error, bucket, `delete bucket ${bucket}`, 's3:DeleteBucket', signal);
    }
  }

  /**
   * Ends uploads in parts of keys with a prefix that were begun before a time, which S3 keeps, and has paid for, for ever.
   *
   * @param dryRun - only counts them
   * @returns how many there are
   */
  async endUploads(
    bucket: string,
    prefix: string,
    before: Date,
    dryRun: boolean,
    signal?: AbortSignal,
  ): Promise<number> {
    const doing = `end uploads to s3://${bucket}/${prefix}`;
    let ended = 0;
    try {
      let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
      while (markers) {
        const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
          Bucket: bucket,
          Prefix: prefix,
          ...markers,
        });
        const page = await this.#client.send(command, sending(signal));
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if ((Initiated?.getTime() ?? 0) > before.getTime()) continue;
          ended++;
          if (dryRun) continue;
          await this.#client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }), sending(signal));
        }
        const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
        markers = IsTruncated ? { KeyMarker, UploadIdMarker } : undefined;
      }
    } catch (error) {
      if (awsErrorName(error) === 'NoSuchBucket') return 0;
      throw bucketError(error, bucket, doing, 's3:ListBucketMultipartUploads or s3:AbortMultipartUpload', signal);
    }
    return ended;
  }

  /** What of a bucket's notifications goes to functions. */
  async functionNotifications(bucket: string, signal?: AbortSignal): Promise<FunctionNotification[]> {
    const { LambdaFunctionConfigurations = [] } = await this.#notifications(bucket, signal);
    return LambdaFunctionConfigurations.map(describeNotification);
  }

  /**
   * Changes what goes to functions, and nothing else: the configuration is read, `change` is applied to the entries of
   * functions, and the whole is written back with all that others configured (queues, topics, EventBridge). `change`
   * returns undefined to leave everything as it is.
   */
  changeFunctionNotifications(
    bucket: string,
    change: (entries: FunctionNotification[]) => FunctionNotification[] | undefined,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const before = this.#changes.get(bucket) ?? Promise.resolve();
    const mine = before.then(
      () => this.#changeNotifications(bucket, change, signal),
      () => this.#changeNotifications(bucket, change, signal),
    );
    this.#changes.set(bucket, mine);
    const forget = () => {
      if (this.#changes.get(bucket) === mine) this.#changes.delete(bucket);
    };
    mine.then(forget, forget);
    return mine;
  }

  async #changeNotifications(
    bucket: string,
    change: (entries: FunctionNotification[]) => FunctionNotification[] | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const configuration = await this.#notifications(bucket, signal);
    const raw = configuration.LambdaFunctionConfigurations ?? [];
    const changed = change(raw.map(describeNotification));
    if (!changed) return false;
    // Entries of others go back as they came, with whatever this package does not read of them.
    const byId = new Map(raw.map((entry) => [entry.Id, entry]));
    const entries = changed.map((entry) => {
      const old = byId.get(entry.id);
      return old && sameNotification(describeNotification(old), entry) ? old : notificationInput(entry);
    });
    const command = new PutBucketNotificationConfigurationCommand({
      Bucket: bucket,
      NotificationConfiguration: { ...configuration, LambdaFunctionConfigurations: entries },
    });
    try {
      await this.#client.send(command, sending(signal));
      return true;
    } catch (error) {
      const doing = `change the notifications of bucket ${bucket}`;
      throw bucketError(error, bucket, doing, 's3:PutBucketNotification', signal);
    }
  }

  async #notifications(bucket: string, signal: AbortSignal | undefined): Promise<NotificationConfiguration> {
    try {
      const command = new GetBucketNotificationConfigurationCommand({ Bucket: bucket });
      const { $metadata: _, ...configuration } = await this.#client.send(command, sending(signal));
      return configuration;
    } catch (error) {
      const doing = `read the notifications of bucket ${bucket}`;
      throw bucketError(error, bucket, doing, 's3:GetBucketNotification', signal);
    }
  }
}

function describeNotification(entry: LambdaFunctionConfiguration): FunctionNotification {
  const rule = (name: string) =>
    entry.Filter?.Key?.FilterRules?.find((candidate) => candidate.Name?.toLowerCase() === name)?.Value ?? '';
  return {
    id: entry.Id ?? '',
    functionArn: entry.LambdaFunctionArn ?? '',
    events: entry.Events ?? [],
    prefix: rule('prefix'),
    suffix: rule('suffix'),
  };
}

function notificationInput({
  id,
  functionArn,
  events,
  prefix,
  suffix,
}: FunctionNotification): LambdaFunctionConfiguration {
  const rules = [
    ...(prefix === '' ? [] : [{ Name: 'prefix' as const, Value: prefix }]),
    ...(suffix === '' ? [] : [{ Name: 'suffix' as const, Value: suffix }]),
  ];
  return {
    Id: id,
    LambdaFunctionArn: functionArn,
    Events: events as EventName[],
    ...(rules.length > 0 && { Filter: { Key: { FilterRules: rules } } }),
  };
}

function sameNotification(a: FunctionNotification, b: FunctionNotification): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function bucketError(
  error: unknown,
  bucket: string,
  doing: string,
  permission: string,
  signal: AbortSignal | undefined,
): unknown {
  if (awsErrorName(error) !== 'NoSuchBucket') return fromAwsError(error, { doing, permission, signal });
  return new ScarError(
    'bucket-not-found',
    `Could not ${doing}: there is no such bucket. Create it, or correct its name`,
    { context: { bucket }, cause: error },
  );
}

function sending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}
