import { describe, expect, it } from 'vitest';
import { Flow } from '../../../../src/client/map/flow.js';

/** A promise that the test settles. */
function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function flowOf(atOnce: number): Flow<number> {
  const flow = new Flow<number>();
  flow.atOnce = atOnce;
  return flow;
}

describe('Flow', () => {
  it('has no room until it knows how many may run', () => {
    expect(new Flow().room()).toBeInstanceOf(Promise);
    expect(flowOf(1).room()).toBeUndefined();
  });

  it('gives results as they become ready', async () => {
    const flow = flowOf(3);
    const [a, b] = [deferred<number>(), deferred<number>()];
    flow.add(a.promise);
    flow.add(b.promise);
    b.resolve(2);
    expect(await flow.take()).toEqual({ done: false, value: 2 });
    const waiting = flow.take();
    a.resolve(1);
    expect(await waiting).toEqual({ done: false, value: 1 });
    flow.end();
    expect(await flow.take()).toEqual({ done: true, value: undefined });
  });

  it('has room for as many tasks as may run, and for as many results again', async () => {
    const flow = flowOf(2);
    flow.add(Promise.resolve(1));
    flow.add(Promise.resolve(2));
    expect(flow.room(), 'two are under way').toBeDefined();
    await turn();
    expect(flow.room(), 'two wait, none is under way').toBeUndefined();
    flow.add(Promise.resolve(3));
    flow.add(Promise.resolve(4));
    await turn();
    let woken = false;
    void flow.room()?.then(() => {
      woken = true;
    });
    await turn();
    expect([flow.active, flow.buffered, woken]).toEqual([0, 4, false]);
    await flow.take();
    await turn();
    expect(woken).toBe(true);
  });

  it('serves takers in order, also when several wait', async () => {
    const flow = flowOf(5);
    const takers = [flow.take(), flow.take(), flow.take()];
    flow.add(Promise.resolve(1));
    flow.add(Promise.resolve(2));
    flow.end();
    expect(await Promise.all(takers)).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
      { done: true, value: undefined },
    ]);
  });

  it('fails with the first failure, before results that wait', async () => {
    const flow = flowOf(5);
    flow.add(Promise.resolve(1));
    await turn();
    const first = new Error('first');
    flow.fail(first);
    flow.fail(new Error('second'));
    await expect(flow.take()).rejects.toBe(first);
    expect(() => flow.room()).toThrow(first);
  });

  it('fails when a task does', async () => {
    const flow = flowOf(2);
    const task = deferred<number>();
    flow.add(task.promise);
    const taken = flow.take();
    task.reject(new Error('broken'));
    await expect(taken).rejects.toThrow('broken');
  });

  it('waits for what is under way, also after a failure', async () => {
    const flow = flowOf(2);
    const task = deferred<number>();
    flow.add(task.promise);
    flow.fail(new Error('stop'));
    let settled = false;
    const waiting = flow.settled().then(() => {
      settled = true;
    });
    await turn();
    expect(settled).toBe(false);
    task.resolve(1);
    await waiting;
  });

  it('keeps its order and loses nothing over many results', async () => {
    const flow = flowOf(5000);
    for (let n = 0; n < 5000; n++) flow.add(Promise.resolve(n));
    flow.end();
    const taken: number[] = [];
    for (let next = await flow.take(); !next.done; next = await flow.take()) taken.push(next.value);
    expect(taken).toEqual(Array.from({ length: 5000 }, (_, n) => n));
  });

  it('gives results in the order of their tasks when it shall, and counts those that wait for their turn', async () => {
    const flow = new Flow<number>({ ordered: true });
    flow.atOnce = 2;
    const tasks = [deferred<number>(), deferred<number>(), deferred<number>(), deferred<number>()];
    flow.add((tasks[0] as (typeof tasks)[0]).promise);
    for (const [n, task] of tasks.entries()) {
      if (n === 0) continue;
      expect(flow.room(), `for task ${n}`).toBeUndefined();
      flow.add(task.promise);
      task.resolve(n);
      await turn();
    }
    expect([flow.active, flow.buffered]).toEqual([1, 3]);
    expect(flow.room(), 'one is slow, and the window is full').toBeInstanceOf(Promise);
    tasks[0]?.resolve(0);
    await turn();
    for (const value of [0, 1, 2, 3]) expect(await flow.take()).toEqual({ done: false, value });
  });

  it.each([true, false])('gives what is ready when it is concluded, then the error (ordered: %s)', async (ordered) => {
    const flow = new Flow<number>({ ordered });
    flow.atOnce = 3;
    const [slow, failing] = [deferred<number>(), deferred<number>()];
    flow.add(slow.promise);
    flow.add(Promise.resolve(2));
    flow.add(failing.promise);
    await turn();
    flow.conclude(new Error('enough'));
    expect(flow.concluded).toBe(true);
    expect(flow.room(), 'who waits for room goes on').toBeUndefined();
    failing.reject(new Error('cancelled'));
    expect(await flow.take()).toEqual({ done: false, value: 2 });
    const last = flow.take();
    slow.resolve(1);
    expect(await last, 'who ends all the same').toEqual({ done: false, value: 1 });
    await expect(flow.take()).rejects.toThrow('enough');
    await expect(flow.take()).rejects.toThrow('enough');
  });

  it('ends in peace when it is concluded without an error, also for who waits', async () => {
    const flow = flowOf(1);
    const task = deferred<number>();
    flow.add(task.promise);
    const waiting = flow.take();
    flow.conclude();
    flow.fail(new Error('too late'));
    task.reject(new Error('cancelled'));
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('has more room when more may run', async () => {
    const flow = flowOf(1);
    flow.add(new Promise(() => {}));
    const room = flow.room();
    flow.atOnce = 2;
    await room;
    expect(flow.room()).toBeUndefined();
  });
});
