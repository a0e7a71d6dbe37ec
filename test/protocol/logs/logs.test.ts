import { appendFileSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  DeleteLogGroupCommand,
  DeleteLogStreamCommand,
  DeleteRetentionPolicyCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
  type FilterLogEventsCommandInput,
  GetLogEventsCommand,
  ListTagsForResourceCommand,
  PutLogEventsCommand,
  PutRetentionPolicyCommand,
  paginateFilterLogEvents,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-cloudwatch-logs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Engine, type EngineOptions, startEngine } from '../../../src/local/index.js';
import { removeTree } from '../../../src/util/remove-tree.js';

let engine: Engine;
let client: CloudWatchLogsClient;

async function start(options: EngineOptions = {}): Promise<void> {
  engine = await startEngine(options);
  const { endpoint, region, accessKeyId, secretAccessKey } = engine;
  client = new CloudWatchLogsClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  });
}
async function stop(): Promise<void> {
  client.destroy();
  await engine.close();
}
beforeEach(() => start());
afterEach(stop);

const logGroupName = '/probe/group';
const now = Date.now();

async function stream(logStreamName: string): Promise<void> {
  await client.send(new CreateLogStreamCommand({ logGroupName, logStreamName }));
}
const put = (logStreamName: string, ...events: [ageMs: number, message: string][]) =>
  client.send(
    new PutLogEventsCommand({
      logGroupName,
      logStreamName,
      logEvents: events.map(([ageMs, message]) => ({ timestamp: now - ageMs, message })),
    }),
  );
const filter = async (input: Partial<FilterLogEventsCommandInput> = {}) =>
  (await client.send(new FilterLogEventsCommand({ logGroupName, ...input }))).events?.map((event) => event.message);

const invalid = { name: 'InvalidParameterException', $metadata: { httpStatusCode: 400 } };
const missing = { name: 'ResourceNotFoundException', $metadata: { httpStatusCode: 400 } };

describe('log groups', () => {
  it('are created, listed by prefix and page, and deleted', async () => {
    for (const name of ['/a/1', '/a/2', '/a/3', '/b/1']) {
      await client.send(new CreateLogGroupCommand({ logGroupName: name }));
    }
    await expect(client.send(new CreateLogGroupCommand({ logGroupName: '/a/1' }))).rejects.toMatchObject({
      name: 'ResourceAlreadyExistsException',
      message: 'The specified log group already exists',
    });
    const first = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/a/', limit: 2 }));
    expect(first.logGroups).toMatchObject([
      { logGroupName: '/a/1', arn: 'arn:aws:logs:us-east-1:000000000000:log-group:/a/1:*' },
      { logGroupName: '/a/2' },
    ]);
    const { nextToken } = first;
    const second = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/a/', limit: 2, nextToken }));
    expect(second.logGroups?.map((group) => group.logGroupName)).toEqual(['/a/3']);
    expect(second.nextToken).toBeUndefined();
    await client.send(new DeleteLogGroupCommand({ logGroupName: '/a/1' }));
    await expect(client.send(new DeleteLogGroupCommand({ logGroupName: '/a/1' }))).rejects.toMatchObject(missing);
    const found = await client.send(new DescribeLogGroupsCommand({ logGroupNamePattern: '1' }));
    expect(found.logGroups?.map((group) => group.logGroupName)).toEqual(['/b/1']);
  });

  it('keep a retention and tags', async () => {
    await client.send(new CreateLogGroupCommand({ logGroupName, tags: { a: '1' } }));
    await client.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays: 7 }));
    const of = async () => (await client.send(new DescribeLogGroupsCommand({}))).logGroups?.[0]?.retentionInDays;
    expect(await of()).toBe(7);
    await client.send(new DeleteRetentionPolicyCommand({ logGroupName }));
    expect(await of()).toBeUndefined();
    await expect(
      client.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays: 8 })),
    ).rejects.toMatchObject(invalid);
    const resourceArn = `arn:aws:logs:us-east-1:000000000000:log-group:${logGroupName}`;
    await client.send(new TagResourceCommand({ resourceArn, tags: { b: '2' } }));
    await client.send(new UntagResourceCommand({ resourceArn, tagKeys: ['a'] }));
    expect((await client.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({ b: '2' });
  });

  it('hide what is older than their retention', async () => {
    await client.send(new CreateLogGroupCommand({ logGroupName }));
    await stream('s');
    await put('s', [26 * 3_600_000, 'old']);
    await put('s', [0, 'new']);
    expect(await filter()).toEqual(['old', 'new']);
    await client.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays: 1 }));
    expect(await filter()).toEqual(['new']);
  });

  it.each([
    ['bad name!', 'Member must satisfy regular expression pattern'],
    ['x'.repeat(513), 'Member must have length less than or equal to 512'],
  ])('cannot be called %s', async (name, message) => {
    await expect(client.send(new CreateLogGroupCommand({ logGroupName: name }))).rejects.toMatchObject({
      ...invalid,
      message: expect.stringContaining(message),
    });
  });
});

describe('log streams', () => {
  beforeEach(() => client.send(new CreateLogGroupCommand({ logGroupName })));

  it('are listed by name or by their last event', async () => {
    for (const name of ['a1', 'a2', 'b1']) await stream(name);
    await put('a2', [3000, 'x']);
    await put('a1', [2000, 'y']);
    await put('b1', [5000, 'z'], [4000, 'z']);
    const names = async (input: object) =>
      (await client.send(new DescribeLogStreamsCommand({ logGroupName, ...input }))).logStreams?.map(
        (found) => found.logStreamName,
      );
    expect(await names({})).toEqual(['a1', 'a2', 'b1']);
    expect(await names({ logStreamNamePrefix: 'a', descending: true })).toEqual(['a2', 'a1']);
    expect(await names({ orderBy: 'LastEventTime', descending: true })).toEqual(['a1', 'a2', 'b1']);
    const { logStreams, nextToken } = await client.send(
      new DescribeLogStreamsCommand({ logGroupName, orderBy: 'LastEventTime', limit: 1 }),
    );
    expect(logStreams).toMatchObject([
      { logStreamName: 'b1', firstEventTimestamp: now - 5000, lastEventTimestamp: now - 4000 },
    ]);
    expect(await names({ orderBy: 'LastEventTime', limit: 1, nextToken })).toEqual(['a2']);
    await expect(names({ orderBy: 'LastEventTime', logStreamNamePrefix: 'a' })).rejects.toMatchObject(invalid);
  });

  it('go with their events', async () => {
    await stream('s');
    await put('s', [0, 'gone']);
    await client.send(new DeleteLogStreamCommand({ logGroupName, logStreamName: 's' }));
    expect(await filter()).toEqual([]);
    await stream('s');
    expect(await filter()).toEqual([]);
    await expect(put('other', [0, 'x'])).rejects.toMatchObject(missing);
  });
});

describe('PutLogEvents', () => {
  beforeEach(async () => {
    await client.send(new CreateLogGroupCommand({ logGroupName }));
    await stream('s');
  });

  it('refuses what is out of order, too much or too wide', async () => {
    await expect(put('s', [1000, 'b'], [2000, 'a'])).rejects.toMatchObject({
      ...invalid,
      message: 'Log events in a single PutLogEvents request must be in chronological order.',
    });
    await expect(put('s', [25 * 3_600_000, 'a'], [0, 'b'])).rejects.toMatchObject(invalid);
    const big = 'x'.repeat(262_118);
    await expect(put('s', [0, big], [0, big], [0, big], [0, big], [0, 'x'])).rejects.toMatchObject(invalid);
    await put('s', [0, big], [0, big], [0, big], [0, big]);
    await expect(put('s')).rejects.toMatchObject(invalid);
  });

  it('rejects events of another time and takes the others', async () => {
    const hour = 3_600_000;
    const far = await put('s', [0, 'now'], [-3 * hour, 'tomorrow']);
    expect(far.rejectedLogEventsInfo).toEqual({ tooNewLogEventStartIndex: 1 });
    const old = await put('s', [14 * 24 * hour + hour, 'old'], [14 * 24 * hour - hour, 'kept']);
    expect(old.rejectedLogEventsInfo).toEqual({ tooOldLogEventEndIndex: 1 });
    expect(await filter()).toEqual(['kept', 'now']);
  });
});

describe('GetLogEvents', () => {
  const page = async (input: object) => {
    const reply = await client.send(new GetLogEventsCommand({ logGroupName, logStreamName: 's', limit: 2, ...input }));
    return { ...reply, messages: reply.events?.map((event) => event.message) };
  };
  beforeEach(async () => {
    await client.send(new CreateLogGroupCommand({ logGroupName }));
    for (const name of ['s', 'other']) await stream(name);
    for (const n of [1, 2, 3, 4, 5]) {
      await put('other', [6000 - n, `no ${n}`]);
      await put('s', [6000 - n, `${n}`]);
    }
  });

  it('begins at the end, and leads back and forth', async () => {
    const last = await page({});
    expect(last.messages).toEqual(['4', '5']);
    const middle = await page({ nextToken: last.nextBackwardToken });
    expect(middle.messages).toEqual(['2', '3']);
    const first = await page({ nextToken: middle.nextBackwardToken });
    expect(first.messages).toEqual(['1']);
    const before = await page({ nextToken: first.nextBackwardToken });
    expect(before.messages).toEqual([]);
    expect(before.nextBackwardToken).toBe(first.nextBackwardToken);
    expect((await page({ nextToken: first.nextForwardToken })).messages).toEqual(['2', '3']);
  });

  it('begins at the head on demand, and ends with the token that was sent', async () => {
    const first = await page({ startFromHead: true });
    expect(first.messages).toEqual(['1', '2']);
    const second = await page({ startFromHead: true, nextToken: first.nextForwardToken });
    const third = await page({ startFromHead: true, nextToken: second.nextForwardToken });
    expect([second.messages, third.messages]).toEqual([['3', '4'], ['5']]);
    const end = await page({ startFromHead: true, nextToken: third.nextForwardToken });
    expect(end).toMatchObject({ messages: [], nextForwardToken: third.nextForwardToken });
    await put('s', [0, 'later']);
    expect((await page({ nextToken: end.nextForwardToken })).messages).toEqual(['later']);
  });

  it('takes a time, its end excluded', async () => {
    const input = { startTime: now - 5998, endTime: now - 5996, limit: 10, startFromHead: true };
    expect((await page(input)).messages).toEqual(['2', '3']);
  });

  it('refuses a token that is none', async () => {
    await expect(page({ nextToken: 'f/1' })).rejects.toMatchObject(invalid);
  });
});

describe('FilterLogEvents', () => {
  beforeEach(async () => {
    await client.send(new CreateLogGroupCommand({ logGroupName }));
    for (const name of ['a1', 'a2', 'b1']) await stream(name);
  });

  it('sorts by time across streams, with an ID for each event', async () => {
    await put('a1', [3000, 'two']);
    await put('a2', [4000, 'one'], [1000, 'four']);
    await put('b1', [2000, 'three']);
    const { events } = await client.send(new FilterLogEventsCommand({ logGroupName }));
    expect(events?.map((event) => [event.logStreamName, event.message, event.timestamp])).toEqual([
      ['a2', 'one', now - 4000],
      ['a1', 'two', now - 3000],
      ['b1', 'three', now - 2000],
      ['a2', 'four', now - 1000],
    ]);
    expect(new Set(events?.map((event) => event.eventId)).size).toBe(4);
  });

  it('selects by stream, prefix and time, its end included', async () => {
    await put('a1', [3000, 'one']);
    await put('a2', [2000, 'two']);
    await put('b1', [1000, 'three']);
    expect(await filter({ logStreamNames: ['a1', 'b1'] })).toEqual(['one', 'three']);
    expect(await filter({ logStreamNamePrefix: 'a' })).toEqual(['one', 'two']);
    expect(await filter({ startTime: now - 2000 })).toEqual(['two', 'three']);
    expect(await filter({ endTime: now - 2000 })).toEqual(['one', 'two']);
    expect(await filter({ endTime: now - 2001 })).toEqual(['one']);
    await expect(filter({ logStreamNames: ['nobody'] })).rejects.toMatchObject(missing);
    await expect(filter({ logStreamNames: ['a1'], logStreamNamePrefix: 'a' })).rejects.toMatchObject(invalid);
  });

  it.each([
    ['ERROR', ['ERROR one', 'ERROR two', 'an ERROR']],
    ['ERROR one', ['ERROR one']],
    ['"ERROR two"', ['ERROR two']],
    ['ERROR -two', ['ERROR one', 'an ERROR']],
    ['?one ?two', ['ERROR one', 'ERROR two']],
    ['?two an', ['an ERROR']],
    ['"a \\"quoted\\" word"', ['a "quoted" word']],
    ['"0b-c"', ['id 0b-c']],
    ['-ERROR -id', ['a "quoted" word']],
    ['', ['ERROR one', 'ERROR two', 'an ERROR', 'id 0b-c', 'a "quoted" word']],
  ])('understands the pattern %s', async (filterPattern, expected) => {
    await put(
      'a1',
      ...['ERROR one', 'ERROR two', 'an ERROR', 'id 0b-c', 'a "quoted" word'].map((m) => [0, m] as [number, string]),
    );
    expect(await filter({ filterPattern })).toEqual(expected);
  });

  it.each([
    ['{ $.a = 1 }', /JSON .* is not supported/],
    ['[a, b]', /columns .* is not supported/],
    ['%a.b%', /regular expression .* is not supported/],
    ['0b-c', /Invalid character\(s\) in term '0b-c'/],
    ['"open', /Invalid filter pattern/],
  ])('refuses the pattern %s by name', async (filterPattern, message) => {
    await expect(filter({ filterPattern })).rejects.toMatchObject({
      ...invalid,
      message: expect.stringMatching(message),
    });
  });

  it('gives every event exactly once over its pages, also those that arrive meanwhile', async () => {
    for (let batch = 0; batch < 30; batch++) {
      await put(
        'a1',
        ...Array.from(
          { length: 100 },
          (_, n) => [0, `event ${batch * 100 + n} ${'x'.repeat(200)}`] as [number, string],
        ),
      );
    }
    const seen: string[] = [];
    let pages = 0;
    for await (const page of paginateFilterLogEvents(
      { client, pageSize: 700 },
      { logGroupName, filterPattern: 'event' },
    )) {
      for (const event of page.events ?? []) seen.push(event.message?.split(' ')[1] ?? '');
      if (pages++ === 1) await put('a2', [0, 'event late']);
    }
    expect(pages).toBeGreaterThan(4);
    expect(seen).toEqual([...Array.from({ length: 3000 }, (_, n) => String(n)), 'late']);
  });
});

it('keeps everything for the next engine, but for what was half-written', async () => {
  await stop();
  const dataDir = mkdtempSync(join(tmpdir(), 'logs-'));
  await start({ dataDir });
  await client.send(new CreateLogGroupCommand({ logGroupName }));
  await stream('s');
  await put('s', [1000, 'eins'], [500, 'zwei ü']);
  await stop();
  const file = readdirSync(join(dataDir, 'logs')).find((name) => name.endsWith('.log')) ?? '';
  appendFileSync(join(dataDir, 'logs', file), '[0,123,456,"half');
  await start({ dataDir });
  expect(await filter()).toEqual(['eins', 'zwei ü']);
  await put('s', [0, 'drei']);
  expect(await filter()).toEqual(['eins', 'zwei ü', 'drei']);
  const { logStreams } = await client.send(new DescribeLogStreamsCommand({ logGroupName }));
  expect(logStreams).toMatchObject([{ firstEventTimestamp: now - 1000, lastEventTimestamp: now }]);
  await stop();
  await removeTree(dataDir);
  await start();
});
