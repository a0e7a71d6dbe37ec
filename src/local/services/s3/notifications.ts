import { randomUUID } from 'node:crypto';
import type {
  GetBucketNotificationConfigurationCommandInput,
  GetBucketNotificationConfigurationCommandOutput,
  LambdaFunctionConfiguration,
  NotificationConfiguration,
  PutBucketNotificationConfigurationCommandInput,
} from '@aws-sdk/client-s3';
import type { Operation, OperationContext } from '../../protocol/service.js';
import type { Bucket } from './bucket.js';
import type { S3Environment } from './environment.js';
import { invalidArgument, notImplemented } from './errors.js';
import { type NotificationRule, overlap, wants } from './notification-rule.js';
import type { ObjectRecord } from './record.js';
import { encodeKey } from './url-encoding.js';

/** Event types that S3 knows (S3 user guide, "Supported event types"); the engine's objects live through the first two kinds. */
const EVENT_TYPES =
  /^s3:(ObjectCreated:(\*|Put|Post|Copy|CompleteMultipartUpload)|ObjectRemoved:(\*|Delete|DeleteMarkerCreated)|ObjectRestore:(\*|Post|Completed|Delete)|ReducedRedundancyLostObject|Replication:\w+|Replication:\*|LifecycleExpiration:(\*|Delete|DeleteMarkerCreated)|LifecycleTransition|IntelligentTiering|ObjectTagging:(\*|Put|Delete)|ObjectAcl:Put)$/;

export function notificationOperations(environment: S3Environment): Record<string, Operation> {
  const { store } = environment;
  return {
    async GetBucketNotificationConfiguration(
      input: GetBucketNotificationConfigurationCommandInput,
    ): Promise<Omit<GetBucketNotificationConfigurationCommandOutput, '$metadata'>> {
      const bucket = await store.bucket(input.Bucket ?? '');
      const { notifications } = bucket.facts;
      return notifications.length === 0 ? {} : { LambdaFunctionConfigurations: notifications.map(toConfiguration) };
    },

    async PutBucketNotificationConfiguration(input: PutBucketNotificationConfigurationCommandInput) {
      const bucket = await store.bucket(input.Bucket ?? '');
      const rules = parseRules(input.NotificationConfiguration ?? {});
      if (!input.SkipDestinationValidation) checkDestinations(environment, bucket, rules);
      bucket.setNotifications(rules);
      return {};
    },
  };
}

function toConfiguration(rule: NotificationRule): LambdaFunctionConfiguration {
  const filters = [
    ...(rule.prefix === undefined ? [] : [{ Name: 'prefix' as const, Value: rule.prefix }]),
    ...(rule.suffix === undefined ? [] : [{ Name: 'suffix' as const, Value: rule.suffix }]),
  ];
  return {
    Id: rule.id,
    LambdaFunctionArn: rule.functionArn,
    Events: [...rule.events] as LambdaFunctionConfiguration['Events'],
    ...(filters.length > 0 && { Filter: { Key: { FilterRules: filters } } }),
  };
}

function parseRules(configuration: NotificationConfiguration): NotificationRule[] {
  if (configuration.QueueConfigurations?.length) throw notImplemented('notifications to SQS queues');
  if (configuration.TopicConfigurations?.length) throw notImplemented('notifications to SNS topics');
  if (configuration.EventBridgeConfiguration) throw notImplemented('notifications to EventBridge');
  const rules = (configuration.LambdaFunctionConfigurations ?? []).map(parseRule);
  for (const [index, rule] of rules.entries()) {
    for (const other of rules.slice(0, index)) {
      if (other.id === rule.id) throw invalidArgument('Id', rule.id, 'Same ID used for multiple configurations');
      if (overlap(rule, other)) {
        const message = 'Configurations overlap. Configurations on the same bucket cannot share a common event type.';
        throw invalidArgument('Events', rule.events.join(','), message);
      }
    }
  }
  return rules;
}

function parseRule({ Id, LambdaFunctionArn, Events, Filter }: LambdaFunctionConfiguration): NotificationRule {
  const functionArn = LambdaFunctionArn ?? '';
  if (!/^arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:[\w-]+(:[\w$-]+)?$/.test(functionArn)) {
    throw invalidArgument('CloudFunction', functionArn, 'The ARN could not be parsed');
  }
  const events = Events ?? [];
  const unknown = events.find((event) => !EVENT_TYPES.test(event));
  if (unknown !== undefined || events.length === 0) {
    throw invalidArgument('Event', unknown ?? '', `The event '${unknown ?? ''}' is not supported for notifications`);
  }
  const rule: { -readonly [K in keyof NotificationRule]: NotificationRule[K] } = {
    id: Id ?? randomUUID(),
    functionArn,
    events,
  };
  for (const { Name, Value } of Filter?.Key?.FilterRules ?? []) {
    const name = Name?.toLowerCase();
    if (name !== 'prefix' && name !== 'suffix') {
      throw invalidArgument('FilterRule.Name', Name, 'filter rule name must be either prefix or suffix');
    }
    if (rule[name] !== undefined) {
      throw invalidArgument('FilterRule.Name', Name, `Cannot specify more than one ${name} rule in a filter.`);
    }
    rule[name] = Value ?? '';
  }
  return rule;
}

/** S3 takes a destination only when it exists and lets the bucket in. */
function checkDestinations(
  { notifications, accountId }: S3Environment,
  bucket: Bucket,
  rules: readonly NotificationRule[],
) {
  const source = { bucketArn: bucketArn(bucket), accountId };
  for (const { functionArn } of rules) {
    const refusal = notifications?.refusal(functionArn, source) ?? (notifications ? undefined : 'no such function');
    if (refusal === undefined) continue;
    const message = `Unable to validate the following destination configurations: ${functionArn}: ${refusal}`;
    throw invalidArgument(functionArn, refusal, message);
  }
}

function bucketArn(bucket: Bucket): string {
  return `arn:aws:s3:::${bucket.facts.name}`;
}

/** What happened to an object. */
export type EventName =
  | 'ObjectCreated:Put'
  | 'ObjectCreated:Copy'
  | 'ObjectCreated:CompleteMultipartUpload'
  | 'ObjectRemoved:Delete';

let sequence = 0n;

/** Tells the functions that want to know. The record's form is that of S3's user guide, "Event message structure". */
export function notify(
  { notifications, accountId, region }: S3Environment,
  bucket: Bucket,
  eventName: EventName,
  key: string,
  record: ObjectRecord | undefined,
  context: OperationContext,
): void {
  for (const rule of bucket.facts.notifications) {
    if (!wants(rule, `s3:${eventName}`, key)) continue;
    // Compared as hexadecimal numbers of one length, later events of a key are greater.
    sequence = BigInt(Date.now()) << 20n > sequence ? BigInt(Date.now()) << 20n : sequence + 1n;
    const s3Record = {
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: region,
      eventTime: new Date().toISOString(),
      eventName,
      userIdentity: { principalId: `AWS:${accountId}` },
      requestParameters: { sourceIPAddress: '127.0.0.1' },
      responseElements: { 'x-amz-request-id': context.requestId, 'x-amz-id-2': context.requestId },
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: rule.id,
        bucket: {
          name: bucket.facts.name,
          ownerIdentity: { principalId: accountId },
          arn: bucketArn(bucket),
        },
        object: {
          key: encodeKey(key),
          ...(record && { size: record.bytes, eTag: record.etag }),
          sequencer: sequence.toString(16).toUpperCase().padStart(18, '0'),
        },
      },
    };
    notifications?.deliver(rule.functionArn, { Records: [s3Record] });
  }
}
