import {describe, expect, it} from 'vitest';

import {Failure} from '../src/failure.js';

describe('a failure', () => {
  it('is kept as it is', () => {
    const failure = new Failure('gpu', 'lost');
    expect(Failure.from(failure, 'load')).toBe(failure);
  });

  it('of something thrown has the code of its command, its message and its stack', () => {
    const error = new Error('no such kernel');
    const failure = Failure.from(error, 'predict');
    expect(failure).toMatchObject({code: 'predict', message: 'no such kernel', stack: error.stack});
    expect(Failure.from(error, 'start').code).toBe('backend');
  });

  it('always says something', () => {
    expect(Failure.from('a string', 'load').message).toBe('a string');
    expect(Failure.from(new Error(''), 'load').message).not.toBe('');
  });
});
