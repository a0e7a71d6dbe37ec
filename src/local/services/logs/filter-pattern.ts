import { errors } from './errors.js';

/** Whether a message is meant. */
export type MessageFilter = (message: string) => boolean;

/** A term with its sign, quoted or plain. */
const TERM = /\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)/y;

/**
 * A filter pattern for text without structure
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html): all terms must occur, those
 * after `-` must not, of those after `?` one must; `?` counts only when there are no others. Case matters. What is not
 * a word must be quoted.
 *
 * @throws ServiceError for a pattern that is malformed, or of a kind (JSON, columns, regular expressions) that the
 *   engine does not know
 */
export function parseFilterPattern(pattern: string): MessageFilter {
  const text = pattern.trim();
  if (text.startsWith('{')) throw errors.unsupported('A filter pattern for JSON ({ ... })');
  if (text.startsWith('[')) throw errors.unsupported('A filter pattern for columns ([ ... ])');
  const all: string[] = [];
  const none: string[] = [];
  const any: string[] = [];
  for (const { sign, term } of terms(text)) (sign === '-' ? none : sign === '?' ? any : all).push(term);
  if (all.length + none.length > 0) {
    return (message) => all.every((term) => message.includes(term)) && !none.some((term) => message.includes(term));
  }
  return (message) => any.length === 0 || any.some((term) => message.includes(term));
}

function* terms(text: string): Generator<{ sign: string; term: string }> {
  const expression = new RegExp(TERM);
  while (expression.lastIndex < text.length) {
    const start = expression.lastIndex;
    const match = expression.exec(text);
    if (!match) throw errors.invalid(`Invalid filter pattern at: ${text.slice(start).trim()}`);
    const [, sign = '', quoted, plain] = match;
    if (quoted !== undefined) yield { sign, term: quoted.replace(/\\(.)/g, '$1') };
    else if (plain?.startsWith('%')) throw errors.unsupported('A regular expression (%...%) in a filter pattern');
    else if (plain && /^[\p{L}\p{N}_]+$/u.test(plain)) yield { sign, term: plain };
    else throw errors.invalid(`Invalid character(s) in term '${sign}${plain}'`);
  }
}
