import {
  type CloudWatchLogsClient,
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  FilterLogEventsCommand,
  PutRetentionPolicyCommand,
  StartLiveTailCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { ScarError } from '../errors.js';
import { linkSignals } from '../util/linked-signal.js';
import { awsErrorName, fromAwsError } from './errors.js';

/** One event as Live Tail tells it. */
export interface TailedLogEvent {
  /** When it was written, in ms since 1970. */
  timestamp: number;
  stream: string;
  message: string;
}

/** One event as CloudWatch holds it. */
export interface StoredLogEvent extends TailedLogEvent {
  id: string;
}

/** What came in, in about a second. */
export interface LiveTailUpdate {
  events: TailedLogEvent[];
  /** Whether there was more than CloudWatch sends. */
  sampled: boolean;
}

export interface LogQuery {
  /** In ms since 1970, included. */
  since?: number | undefined;
  /** In ms since 1970, included. */
  until?: number | undefined;
  /** Only these streams. Default: all. */
  streams?: string[] | undefined;
  /** CloudWatch's filter pattern. */
  filter?: string | undefined;
}

/**
 * CloudWatch Logs as this package needs it. A missing group is an answer (`false`, `undefined`); other errors are
 * `ScarError`s: `permission-denied`, `throttled`, `service`. An abort throws the signal's reason.
 */
export class LogService {
  readonly #client: CloudWatchLogsClient;

  constructor(client: CloudWatchLogsClient) {
    this.#client = client;
  }

  /** Returns whether it made the group: false if it was there. */
  async createGroup(group: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#client.send(new CreateLogGroupCommand({ logGroupName: group }), sending(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === 'ResourceAlreadyExistsException') return false;
      throw logError(error, 'CreateLogGroup', group, signal);
    }
  }

  async keepFor(group: string, days: number, signal?: AbortSignal): Promise<void> {
    const command = new PutRetentionPolicyCommand({ logGroupName: group, retentionInDays: days });
    try {
      await this.#client.send(command, sending(signal));
    } catch (error) {
      throw logError(error, 'PutRetentionPolicy', group, signal);
    }
  }

  /** Returns whether there was one to delete. */
  async deleteGroup(group: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#client.send(new DeleteLogGroupCommand({ logGroupName: group }), sending(signal));
      return true;
    } catch (error) {
      if (awsErrorName(error) === 'ResourceNotFoundException') return false;
      throw logError(error, 'DeleteLogGroup', group, signal);
    }
  }

  /**
   * One complete pass over a group's events, page by page; pages may be empty. A group or stream that does not exist yields
   * `undefined`, once. Throws `log-cut`, retryable, if the pass cannot go on where it was and has to begin again.
   */
  async *events(group: string, query: LogQuery, signal?: AbortSignal): AsyncGenerator<StoredLogEvent[] | undefined> {
    let nextToken: string | undefined;
    do {
      const command = new FilterLogEventsCommand({
        logGroupName: group,
        startTime: query.since,
        endTime: query.until,
        logStreamNames: query.streams,
        filterPattern: query.filter,
        nextToken,
      });
      try {
        const page = await this.#client.send(command, sending(signal));
        nextToken = page.nextToken;
        yield (page.events ?? []).map((event) => ({
          id: event.eventId ?? '',
          timestamp: event.timestamp ?? 0,
          stream: event.logStreamName ?? '',
          message: event.message ?? '',
        }));
      } catch (error) {
        const name = awsErrorName(error);
        // Tokens live for 24 hours: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        if (name === 'InvalidParameterException' && nextToken !== undefined) throw tokenExpired(group, error);
        if (name !== 'ResourceNotFoundException') throw logError(error, 'FilterLogEvents', group, signal);
        nextToken = undefined;
        yield undefined;
      }
    } while (nextToken !== undefined);
  }

  /**
   * What comes into a group from now on, as long as the session lasts. Returns when the connection ends; throws a
   * `ScarError` whose `context.error` is CloudWatch's name of it: `SessionTimeoutException` after three hours.
   *
   * @param groupArn - without `:*`
   */
  async *liveTail(
    groupArn: string,
    filter: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LiveTailUpdate, undefined> {
    // The SDK's stream does not end its connection when it is left.
    const session = linkSignals(signal);
    const command = new StartLiveTailCommand({ logGroupIdentifiers: [groupArn], logEventFilterPattern: filter });
    try {
      const { responseStream } = await this.#client.send(command, sending(session.signal));
      for await (const { sessionUpdate } of responseStream ?? []) {
        if (!sessionUpdate) continue;
        const events = (sessionUpdate.sessionResults ?? []).map((event) => ({
          timestamp: event.timestamp ?? 0,
          stream: event.logStreamName ?? '',
          message: event.message ?? '',
        }));
        yield { events, sampled: sessionUpdate.sessionMetadata?.sampled === true };
      }
    } catch (error) {
      throw logError(error, 'StartLiveTail', groupArn, signal);
    } finally {
      session.abort(new ScarError('aborted', 'Nobody asks for more of this Live Tail session'));
      session.release();
    }
  }
}

function tokenExpired(group: string, cause: unknown): ScarError {
  const message = `The log of group ${group} could not be read on: CloudWatch does not know the next page any more. Read it again`;
  return new ScarError('log-cut', message, { context: { group }, retryable: true, cause });
}

function logError(error: unknown, action: string, group: string, signal: AbortSignal | undefined): unknown {
  return fromAwsError(error, { doing: `call ${action} for log group ${group}`, permission: `logs:${action}`, signal });
}

/** Control calls answer in seconds: an answer that never comes must not hang a caller without a signal. */
const CONTROL_TIMEOUT_MS = 120_000;

function sending(signal: AbortSignal | undefined): { abortSignal?: AbortSignal; requestTimeout: number } {
  return { requestTimeout: CONTROL_TIMEOUT_MS, ...(signal && { abortSignal: signal }) };
}
