import { describe, expect, it } from 'vitest';
import { encodeEventKey } from '../../../src/contract/index.js';
import { isAnswered, parseEvent } from '../../../supervisor/event.js';

function record(key: string, more: Record<string, unknown> = {}) {
  return {
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    eventTime: '2026-01-02T03:04:05.678Z',
    s3: { bucket: { name: 'b' }, object: { key: encodeEventKey(key), size: 3 } },
    ...more,
  };
}

describe('an S3 notification', () => {
  it('gives one record per object, in order, each with an event of its own', () => {
    const [first, second] = [record('input/a b+c.png'), record('input/ü/%41')];
    const { records, answered } = parseEvent({ Records: [first, second] });
    expect(answered).toBe(false);
    expect(records.map(({ input }) => input)).toEqual([
      { bucket: 'b', key: 'input/a b+c.png', bytes: 3 },
      { bucket: 'b', key: 'input/ü/%41', bytes: 3 },
    ]);
    expect(records[1]?.event).toEqual({ Records: [second] });
    expect(records[1]?.eventTime).toBe('2026-01-02T03:04:05.678Z');
  });

  it('keeps the version of the object', () => {
    const versioned = record('k', { s3: { bucket: { name: 'b' }, object: { key: 'k', versionId: 'v1' } } });
    expect(parseEvent({ Records: [versioned] }).records[0]?.input).toEqual({ bucket: 'b', key: 'k', versionId: 'v1' });
  });

  it('is answered when the client added its options', () => {
    const { answered, options } = parseEvent({ Records: [record('k')], scar: { version: 1, args: ['x'] } });
    expect(answered).toBe(true);
    expect(options.args).toEqual(['x']);
  });

  const chunk = { start: 1, end: 3, index: 1, count: 2, delimiter: 'é' };
  const object = { key: 'k', size: 3, eTag: 'e1' };
  const split = (parts: object, more: object = {}) =>
    record('k', {
      s3: { bucket: { name: 'b' }, object: { ...object, ...more } },
      scar: { chunk: { ...chunk, ...parts } },
    });

  it('may be about a chunk of its object', () => {
    const [parsed] = parseEvent({ Records: [split({})] }).records;
    const { index, count, start, end } = chunk;
    expect(parsed).toMatchObject({ input: { bucket: 'b', key: 'k', bytes: 3, chunk: { index, count } } });
    const delimiter = Buffer.from('é');
    expect(parsed?.chunk).toEqual({ start, end, index, count, delimiter, objectBytes: 3, ifMatch: '"e1"' });
    const [bytes] = parseEvent({ Records: [split({ delimiter: { base64: 'AAH/' } })] }).records;
    expect(bytes?.chunk?.delimiter).toEqual(Buffer.from([0, 1, 255]));
    const [empty] = parseEvent({ Records: [split({ start: 0, end: 0, index: 0, count: 1 }, { size: 0 })] }).records;
    expect(empty?.refusal).toBeUndefined();
  });

  it.each([
    ['no size', split({}, { size: undefined }), 'have the size of its object'],
    ['no ETag', split({}, { eTag: undefined }), 'have the eTag of its object'],
    ['a start behind its end', split({ start: 3 }), 'have a start below its end'],
    ['an end behind the object', split({ end: 4 }), 'within the 3 bytes'],
    ['a start that is no count', split({ start: -1 }), 'have a start'],
    ['an index that is none', split({ index: 2 }), 'have an index below its count'],
    ['no delimiter', split({ delimiter: undefined }), 'have a delimiter of 1 to 64 bytes'],
    ['a long delimiter', split({ delimiter: 'x'.repeat(65) }), 'have a delimiter of 1 to 64 bytes'],
    ['null', record('k', { s3: { bucket: { name: 'b' }, object }, scar: { chunk: null } }), 'have a start'],
  ])('refuses a chunk with %s', (_, bad, hint) => {
    const [parsed] = parseEvent({ Records: [bad] }).records;
    expect(parsed?.refusal?.message).toContain(hint);
    expect(parsed?.chunk).toBeUndefined();
  });

  it.each([
    ['an SQS record', { eventSource: 'aws:sqs', body: '{}' }, 'aws:sqs'],
    ['an SNS record', { EventSource: 'aws:sns', Sns: {} }, 'aws:sns'],
    ['no object', { eventSource: 'aws:s3', s3: { bucket: { name: 'b' } } }, 's3.object.key'],
    ['a key that is not encoded', record('k', { s3: { bucket: { name: 'b' }, object: { key: '%zz' } } }), '%zz'],
    ['a removal', record('k', { eventName: 'ObjectRemoved:Delete' }), 'ObjectRemoved:Delete'],
    ['null', null, 'null'],
  ])('refuses a record with %s, and only that one', (_, bad, hint) => {
    const { records } = parseEvent({ Records: [bad, record('good')] });
    expect(records[0]?.refusal).toMatchObject({ reason: 'event', message: expect.stringContaining(hint) });
    expect(records[1]?.refusal).toBeUndefined();
    expect(records[1]?.input?.key).toBe('good');
  });

  it('needs a record', () => {
    expect(() => parseEvent({ Records: [] })).toThrow('at least one record');
    expect(() => parseEvent({ Records: 'x' })).toThrow('at least one record');
  });

  it('takes the test event of S3 as nothing to do', () => {
    expect(parseEvent({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b' }).records).toEqual([]);
  });
});

describe('a direct invocation', () => {
  it.each([[{ scar: { version: 1 } }], [{}], [null], [undefined]])('%j runs one container', (event) => {
    const { records } = parseEvent(event);
    expect(records).toHaveLength(1);
    expect(records[0]?.input).toBeUndefined();
  });

  it('runs none for a preheat', () => {
    expect(parseEvent({ scar: { version: 1, action: 'preheat' } }).records).toEqual([]);
  });
});

describe('idempotency keys', () => {
  const results = { bucket: 'b', prefix: 'runs/1/' };

  it('go to the records in their order, or to the one container', () => {
    const scar = { version: 1, idempotencyKeys: ['a-0.x_=', 'b'.repeat(256)], results };
    const { records, options } = parseEvent({ Records: [record('k'), record('l')], scar });
    expect(records.map(({ idempotencyKey }) => idempotencyKey)).toEqual(scar.idempotencyKeys);
    expect(options.results).toEqual(results);
    const [, second] = scar.idempotencyKeys;
    const alone = { Records: [record('l')], scar: { ...scar, idempotencyKeys: [second] } };
    expect(records[1]?.event, 'as if it had come alone').toEqual(alone);
    const direct = parseEvent({ scar: { version: 1, idempotencyKeys: ['a'] } });
    expect(direct.records[0]?.idempotencyKey).toBe('a');
    expect(parseEvent({ scar: { version: 1 } }).records[0]).not.toHaveProperty('idempotencyKey');
  });

  it.each([
    [{ idempotencyKeys: [] }, 'one of scar.idempotencyKeys for each of 1 records; received 0'],
    [{ idempotencyKeys: ['a', 'b'] }, 'received 2'],
    [{ idempotencyKeys: ['a'], action: 'preheat' }, 'each of 0 records'],
    [{ idempotencyKeys: ['a', 'a'] }, 'array of different strings'],
    [{ idempotencyKeys: 'a' }, 'array of different strings'],
    [{ idempotencyKeys: [''] }, '1 to 256 characters'],
    [{ idempotencyKeys: ['a/b'] }, '1 to 256 characters'],
    [{ idempotencyKeys: ['a'.repeat(257)] }, '1 to 256 characters'],
    [{ idempotencyKeys: ['a\n'] }, '1 to 256 characters'],
    [{ idempotencyKeys: ['a'], results: { bucket: 'b' } }, 'scar.results must be { bucket, prefix }'],
    [{ results }, 'scar.idempotencyKeys with scar.results'],
  ])('%j is refused, saying %s', (scar, hint) => {
    expect(() => parseEvent({ scar: { version: 1, ...scar } })).toThrow(hint);
  });

  it('are no promise of a reader where the answers are read from results', () => {
    expect(isAnswered({ scar: { version: 2, results } })).toBe(false);
  });
});

describe('records that are gathered', () => {
  const scar = { version: 1, gather: true };

  it('are the inputs of one container, in their order, under one key', () => {
    const event = { Records: [record('b'), record('a'), record('b')], scar: { ...scar, idempotencyKeys: ['k'] } };
    const { records } = parseEvent(event);
    expect(records).toHaveLength(1);
    expect(records[0]?.gathered?.map(({ key }) => key)).toEqual(['b', 'a', 'b']);
    expect(records[0]).toMatchObject({ idempotencyKey: 'k', event: { Records: [{}, {}, {}] } });
    expect(records[0]?.input).toBeUndefined();
    const keys = { ...scar, idempotencyKeys: ['k', 'l', 'm'] };
    expect(() => parseEvent({ Records: event.Records, scar: keys })).toThrow(/for each of 1 records; received 3/);
  });

  it('are refused where one of them cannot be had', () => {
    const removed = record('b', { eventName: 'ObjectRemoved:Delete' });
    expect(parseEvent({ Records: [record('a'), removed], scar }).records[0]?.refusal?.message).toContain(
      'ObjectRemoved',
    );
    const part = {
      s3: { bucket: { name: 'b' }, object: { key: 'a', size: 3, eTag: 'e' } },
      scar: { chunk: { start: 0, end: 1, index: 0, count: 1, delimiter: '\n' } },
    };
    expect(parseEvent({ Records: [record('a', part)], scar }).records[0]?.refusal?.message).toContain('chunks');
    expect(() => parseEvent({ Records: [record('a')], scar: { ...scar, gather: 1 } })).toThrow(
      /scar\.gather must be true or false/,
    );
  });
});

describe('an event that is none of ours', () => {
  it.each([
    [{ key1: 'value1', key2: 'value2' }, 'key1, key2'],
    [{ source: 'aws.s3', 'detail-type': 'Object Created', detail: {} }, 'EventBridge'],
    [{ requestContext: {}, rawPath: '/' }, 'API Gateway'],
    ['text', 'JSON object'],
    [[1], 'JSON object'],
    [{ scar: { version: 2 } }, 'scar.version 1'],
    [{ scar: true }, 'scar.version 1'],
    [{ scar: { version: 1, action: 'walk' } }, 'scar.action must be run or preheat; received "walk"'],
    [{ scar: { version: 1, args: ['a', 1] } }, 'scar.args'],
    [{ scar: { version: 1, script: 5 } }, 'scar.script'],
    [{ scar: { version: 1, environment: { A: 1 } } }, 'scar.environment'],
    [{ scar: { version: 1, output: [{ bucket: 'b' }] } }, 'scar.output'],
    [{ scar: { version: 1, holdMs: -1 } }, 'scar.holdMs'],
  ])('%j is refused, saying %s', (event, hint) => {
    expect(() => parseEvent(event)).toThrow(hint);
    try {
      parseEvent(event);
    } catch (error) {
      expect(error).toMatchObject({ reason: 'event' });
    }
  });

  it('is still answered if its sender reads the response', () => {
    expect(isAnswered({ scar: { version: 2 } })).toBe(true);
    expect(isAnswered({ Records: [] })).toBe(false);
    expect(isAnswered('text')).toBe(false);
  });
});
