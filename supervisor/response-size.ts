import {
  type ContainerOutcome,
  type InvocationResponse,
  MAX_RESPONSE_BYTES,
  MIN_MESSAGE_LENGTH,
  type OutputTail,
} from '../src/contract/index.js';

/** What no response can be too large with: a key has at most 1,024 bytes, a bucket's name 63, a tail 16 KiB, six times that in JSON. */
const OUTPUTS_THAT_FIT = 2_000;
const OUTCOMES_THAT_FIT = 8;

/** Lengths to cut to, from the longest to nothing. */
const TAIL_LENGTHS = [8_192, 4_096, 2_048, 1_024, 512, 256];
const OUTPUT_COUNTS = [...Array.from({ length: 17 }, (_, n) => 65_536 >> n), 0];

/**
 * Cuts the response until it fits, and what is longest first: no outcome is ever lost. The ends of what containers wrote go first, as the
 * log has all of it; then the lists of outputs, which are staged out all the same; then messages. Each says what was cut.
 */
export function fitResponse(response: InvocationResponse): void {
  const { outcomes } = response;
  const outputs = outcomes.reduce((sum, outcome) => sum + outcome.outputs.length, 0);
  if (outputs <= OUTPUTS_THAT_FIT && outcomes.length <= OUTCOMES_THAT_FIT) return;
  for (const cut of cuts()) {
    if (fits(response)) return;
    for (const outcome of outcomes) cut(outcome);
  }
}

/** Outcome by outcome, as far as needed: all at once might be a string that is longer than any may be. */
function fits(response: InvocationResponse): boolean {
  let left = MAX_RESPONSE_BYTES - Buffer.byteLength(JSON.stringify({ ...response, outcomes: [] }));
  return response.outcomes.every((outcome) => {
    left -= Buffer.byteLength(JSON.stringify(outcome)) + 1;
    return left >= 0;
  });
}

function* cuts(): Generator<(outcome: ContainerOutcome) => void> {
  for (const length of TAIL_LENGTHS) yield (outcome) => cutTails(outcome, length);
  for (const count of OUTPUT_COUNTS) yield (outcome) => cutOutputs(outcome, count);
  yield (outcome) => cutTails(outcome, 0);
  yield cutMessage;
}

function cutTails({ stdout, stderr }: ContainerOutcome, length: number): void {
  for (const tail of [stdout, stderr] as OutputTail[]) {
    if (tail.text.length > length) tail.text = tail.text.slice(tail.text.length - length);
  }
}

function cutOutputs(outcome: ContainerOutcome, count: number): void {
  const omitted = outcome.outputs.splice(count).length;
  if (omitted > 0) outcome.outputsOmitted = (outcome.outputsOmitted ?? 0) + omitted;
}

function cutMessage(outcome: ContainerOutcome): void {
  if (outcome.status === 'failed' && outcome.message.length > MIN_MESSAGE_LENGTH) {
    outcome.message = `${outcome.message.slice(0, MIN_MESSAGE_LENGTH - 3)}...`;
  }
}
