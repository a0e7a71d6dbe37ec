import type { ContainerOutcome, InputObject, InvocationOptions, InvocationResponse } from '../src/contract/index.js';
import { ScarError } from '../src/errors.js';
import { sleep } from '../src/util/sleep.js';
import { Answers } from './answers.js';
import { type Budget, divideTime, within } from './budget.js';
import { type ContainerFolders, makeFolders } from './container/folders.js';
import type { CachedImage } from './container/image-cache.js';
import { processSpec } from './container/process-spec.js';
import { type ContainerEnd, runContainer } from './container/run-container.js';
import type { ProcessSpec } from './container/runner.js';
import { undoChanges } from './container/undo.js';
import { contractValues } from './contract-values.js';
import type { Dependencies } from './dependencies.js';
import { type EventRecord, isAnswered, type ParsedEvent, parseEvent } from './event.js';
import { asFailure, Failure } from './failure.js';
import { OutcomeRecorder } from './outcome.js';
import { findOutputFiles } from './output-files.js';
import { fitResponse } from './response-size.js';
import { describeInput, gatherIn, isFolderMarker, stageIn } from './stage-in.js';
import { describeFiles, outputTargets, planUploads, refuseLoop, stageOut } from './stage-out.js';

/** The part of Lambda's context that we read (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html). */
export interface InvocationContext {
  awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** After so many records the response is made to fit: of so many, 32 KiB each may be in memory beside what will be answered. */
const FITTED_OUTCOMES = 100;

/** What the containers of one invocation share. */
interface Invocation {
  house: Dependencies;
  requestId: string;
  budget: Budget;
  options: InvocationOptions;
  /** Whether a bucket's notification caused it: nobody reads the response. */
  triggered: boolean;
  response: InvocationResponse;
}

/**
 * Makes the function's handler: event → one container per record, in order, or the answer that its idempotency key has → response. A container's failure is data in
 * the response for who reads it; where nobody does, it fails the invocation, so that Lambda counts and repeats it.
 */
export function createHandler(
  house: Dependencies,
): (event: unknown, context: InvocationContext) => Promise<InvocationResponse> {
  let coldStart = true;
  const answers = new Answers(house);
  return async (event, { awsRequestId: requestId, getRemainingTimeInMillis }) => {
    const { spec, environmentId } = house.config;
    const image = { digest: spec.imageDigest, pulled: false };
    const response: InvocationResponse = {
      scar: 1,
      requestId,
      environmentId,
      coldStart,
      image,
      outcomes: [],
    };
    coldStart = false;
    const { options, answered, records } = readEvent(event, response);
    const keepsAnswers = options.results !== undefined;
    const budget = divideTime(getRemainingTimeInMillis(), spec.reserveMs, { keepsAnswers });
    const invocation: Invocation = { house, requestId, budget, options, triggered: !answered, response };
    if (options.action === 'preheat') response.outcomes.push(await preheat(invocation));
    for (const record of records) {
      response.outcomes.push(await answers.once(record, invocation, () => serve(record, invocation)));
      // What cannot be answered is not held in memory either.
      if (response.outcomes.length % FITTED_OUTCOMES === 0) fitResponse(response);
    }
    fitResponse(response);
    reportFailures(response, house, answered);
    return response;
  };
}

/** One container: its image, its input, its process, its outputs. Whatever happens, its folders are removed. */
async function serve(record: EventRecord, invocation: Invocation): Promise<ContainerOutcome> {
  const { house, requestId, options, budget, response } = invocation;
  const { config, scratch, log } = house;
  const { input } = record;
  const recorder = new OutcomeRecorder(input);
  const folder = scratch.containerFolder();
  let image: CachedImage | undefined;
  try {
    if (record.refusal) throw record.refusal;
    if (input && isFolderMarker(input)) {
      log.write(`scar: s3://${input.bucket}/${input.key} marks a folder and is no file: nothing to run\n`);
      return recorder.finish();
    }
    if (budget.containerEnd <= performance.now()) throw noTimeLeft(response.outcomes.length);
    if (invocation.triggered) refuseLoop(input, outputTargets(options.output, config.spec.output, input));
    image = await recorder.stage('pullMs', 'image', () => bringImage(invocation));
    const folders = makeFolders(folder, requestId, image, config.extraPayload);
    const inputName = await recorder.stage('stageInMs', 'stage-in', () => bringInput(record, folders, invocation));
    if (input && inputName === undefined) {
      log.write(`scar: no line begins in ${describeInput(input)}: nothing to run\n`);
      return recorder.finish();
    }
    const process = processSpec({
      image,
      folders,
      spec: config.spec,
      functionScript: config.script,
      options,
      variables: { function: config.functionVariables, user: config.userVariables, event: options.environment },
      contract: contractValues(requestId, record, folders, inputName),
    });
    recorder.ended(await recorder.stage('containerMs', 'not-started', () => run(process, invocation)));
    await recorder.stage('stageOutMs', 'stage-out', () => sendOutputs(input, folders, recorder, invocation));
  } catch (error) {
    recorder.fail(asFailure(error, 'not-started'));
  } finally {
    if (image) giveBack(image, folder, house);
    clearFolder(invocation);
  }
  return recorder.finish();
}

/** For a record that was not begun: its container must not be taken for one that ran. */
function noTimeLeft(before: number): Failure {
  const where = before === 0 ? '' : `, with ${before} of the event's records served before it`;
  return new Failure(
    'timeout',
    `The function's time ran out before this was begun${where}: nothing ran. Raise its timeout, or send fewer objects in one event`,
  );
}

async function preheat({ house, options, budget, ...invocation }: Invocation): Promise<ContainerOutcome> {
  const recorder = new OutcomeRecorder(undefined);
  try {
    await recorder.stage('pullMs', 'image', () => bringImage({ house, options, budget, ...invocation }));
    await sleep(Math.max(0, Math.min(options.holdMs ?? 0, budget.containerEnd - performance.now())));
  } catch (error) {
    recorder.fail(asFailure(error, 'image'));
  }
  return recorder.finish();
}

/** The image, and what will run it: where nothing can, nothing is pulled. */
async function bringImage({ house, budget, response }: Invocation): Promise<CachedImage> {
  const { config, images } = house;
  response.runner = (await house.runner()).name;
  const { image, pulled } = await within(budget.containerEnd, `bringing in ${config.spec.imageReference}`, (signal) =>
    images.use(config.spec, house.bringRootfs, signal),
  );
  response.image.pulled ||= pulled;
  return image;
}

/** Name of the staged file; undefined for several, for a direct invocation, and for a chunk in which no line begins. */
async function bringInput(
  { input, chunk, gathered }: EventRecord,
  folders: ContainerFolders,
  { house, budget }: Invocation,
): Promise<string | undefined> {
  if (!input && !gathered) return undefined;
  const freeBytes = () => house.scratch.freeBytes();
  const store = await house.store();
  if (!input) {
    const inputs = gathered ?? [];
    await within(budget.containerEnd, `staging in ${inputs.length} objects`, (signal) =>
      gatherIn(store, inputs, folders.host.input, { freeBytes, signal }),
    );
    return undefined;
  }
  return within(budget.containerEnd, `staging in ${describeInput(input)}`, (signal) =>
    stageIn(store, input, chunk, folders.host.input, { freeBytes, signal }),
  );
}

async function run(process: ProcessSpec, { house, budget }: Invocation): Promise<ContainerEnd> {
  const { config, log, scratch, launcher } = house;
  if (budget.containerEnd <= performance.now()) {
    throw new Failure('timeout', 'There was no time left to start the container in. Raise the timeout of the function');
  }
  const command = (await house.runner()).command(process);
  return runContainer(command, process.argv[0], {
    budget,
    launcher,
    log,
    processes: scratch.processes,
    memoryBytes: config.memoryBytes,
    killCounters: config.killCounters,
    freeBytes: () => scratch.freeBytes(),
  });
}

async function sendOutputs(
  input: InputObject | undefined,
  folders: ContainerFolders,
  recorder: OutcomeRecorder,
  { house, requestId, options, triggered, budget }: Invocation,
): Promise<void> {
  const { tmp, request, output } = folders.host;
  const { files, skipped } = findOutputFiles([tmp, request, output], folders.output, folders.view);
  for (const { path, reason } of skipped) house.log.write(`scar: output ${path} is left out: ${reason}\n`);
  const targets = outputTargets(options.output, house.config.spec.output, input);
  const keeps = targets?.length !== 0;
  if (files.length === 0 && input && keeps) {
    house.log.write(
      'scar: the container left no files in its output folder: what it writes to $SCAR_OUTPUT_DIR is kept\n',
    );
  }
  if (files.length > 0 && !keeps) {
    house.log.write(`scar: not kept, as the list of outputs is empty: ${describeFiles(files)}\n`);
  }
  const uploads = planUploads(files, targets, input, triggered);
  if (uploads.length === 0) return;
  const store = await house.store();
  await within(budget.stageOutEnd, 'staging out', (signal) =>
    stageOut(store, uploads, { requestId, outcome: recorder.mark }, signal, (object) => recorder.outputs.push(object)),
  );
}

/** Takes back what the container changed in its image, for the next one. */
function giveBack(image: CachedImage, folder: string, { images, scratch, log }: Dependencies): void {
  try {
    undoChanges(folder, scratch.images);
  } catch (error) {
    images.discard(image);
    log.write(
      `scar: the image is brought in anew next time, as changes in it cannot be undone: ${(error as Error).message}\n`,
    );
  }
}

function clearFolder({ house, requestId }: Invocation): void {
  try {
    house.scratch.clearContainerFolder(requestId);
  } catch (error) {
    house.log.write(`scar: what the container left could not be removed: ${(error as Error).message}\n`);
  }
}

/** Reads the event; one that is not ours is an outcome for who reads the response, and an error otherwise. */
function readEvent(event: unknown, response: InvocationResponse): ParsedEvent {
  try {
    return parseEvent(event);
  } catch (error) {
    const recorder = new OutcomeRecorder(undefined);
    recorder.fail(asFailure(error, 'event'));
    response.outcomes.push(recorder.finish());
    return { options: { version: 1 }, answered: isAnswered(event), records: [] };
  }
}

/** Says in the log what failed; throws it where nobody reads the response. */
function reportFailures({ outcomes, requestId }: InvocationResponse, { log }: Dependencies, answered: boolean): void {
  const failures = outcomes.flatMap((outcome) => {
    if (outcome.status === 'succeeded') return [];
    const what = outcome.input ? describeInput(outcome.input) : 'the container';
    return [`${what} failed (${outcome.reason}): ${outcome.message}`];
  });
  for (const failure of failures) log.write(`scar: ${failure.replaceAll('\n', ' ')}\n`);
  if (answered || failures.length === 0) return;
  throw new ScarError(
    'invocation-failed',
    `${failures.length} of ${outcomes.length} containers failed: ${failures.join('; ')}`,
    { context: { requestId } },
  );
}
