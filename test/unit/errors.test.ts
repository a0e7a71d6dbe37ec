import { describe, expect, it } from 'vitest';
import { ValidationError } from '../../src/errors.js';

const circular: { self?: unknown } = {};
circular.self = circular;

describe('ValidationError', () => {
  it.each([
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [new Date('when'), 'Invalid Date'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [1.5, '1.5'],
    ['5', '"5"'],
    [null, 'null'],
    [undefined, 'nothing'],
    [5n, '5n'],
    [{ size: 5n }, '[object Object]'],
    [circular, '[object Object]'],
  ])('shows what came: %s', (value, shown) => {
    expect(new ValidationError('limit', 'be right', value).message).toBe(`limit must be right; received ${shown}`);
  });
});
