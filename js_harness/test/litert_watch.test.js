import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';

import {Watch} from '../src/litert_watch.js';

describe('an error that LiteRT.js throws', () => {
  /** @type {Watch} */
  let watch;
  beforeEach(() => {
    for (const level of /** @type {const} */ (['log', 'warn', 'error'])) vi.spyOn(console, level).mockImplementation(() => {});
    watch = new Watch();
  });
  afterEach(() => vi.restoreAllMocks());

  it('gets the errors of the console, each once, and none of its progress', () => {
    console.error('INFO: created\nERROR: no such op');
    console.error('WARNING: no NPU');
    console.error('ERROR: no such op');
    expect(watch.explained(new Error('source.cc:70')).message).toBe('source.cc:70 (the browser said: ERROR: no such op)');
  });

  it('gets the warning about a tensor of dynamic size, which is the cause', () => {
    const said = 'WARNING: Attempting to use a delegate that only supports static-sized tensors (tensor#14 is dynamic-sized).';
    console.error(said);
    expect(watch.explained(new Error('source.cc:70')).message).toContain(said);
  });

  it('stays as it is if the console is silent or was so since the last step', () => {
    console.error('ERROR: earlier');
    watch.reset();
    expect(watch.explained('source.cc:70').message).toBe('source.cc:70');
  });
});
