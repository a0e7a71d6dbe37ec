import { expect, it } from 'vitest';
import { RememberedAnswers } from '../../../supervisor/remembered-answers.js';

it('keeps the last 64 answers', () => {
  const answers = new RememberedAnswers();
  for (let n = 0; n < 70; n++) answers.add(`${n}`, `${n}`);
  expect(answers.get('5')).toBeUndefined();
  expect(answers.get('6')).toEqual({ json: '6', kept: false });
  expect(answers.get('69')).toEqual({ json: '69', kept: false });
});

it('keeps 4 MiB of them, and the last one whatever its size', () => {
  const answers = new RememberedAnswers();
  const mebibytes = (n: number) => 'x'.repeat(n * 1024 * 1024);
  for (const key of ['a', 'b', 'c']) answers.add(key, mebibytes(1.5));
  expect(['a', 'b', 'c'].filter((key) => answers.get(key))).toEqual(['b', 'c']);
  answers.add('d', mebibytes(5));
  expect(['b', 'c', 'd'].filter((key) => answers.get(key))).toEqual(['d']);
  answers.add('e', '{}');
  answers.add('e', mebibytes(1));
  answers.add('f', mebibytes(3));
  expect(['d', 'e', 'f'].filter((key) => answers.get(key))).toEqual(['e', 'f']);
});
