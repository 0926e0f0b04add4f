import {env} from '@tensorflow/tfjs-core';
import {describe, expect, it} from 'vitest';

import {checkAfterImport, readBack, setBeforeImport} from '../src/flags.js';

describe('flags', () => {
  it('of modules still to be imported are in force as those modules register and read them', () => {
    setBeforeImport({LATE_THRESHOLD: 7});
    env().registerFlag('LATE_THRESHOLD', () => 128);
    expect(env().getNumber('LATE_THRESHOLD')).toBe(7);
  });

  it('are read back beside what they would be by default', async () => {
    setBeforeImport({CHANGED: 1});
    env().registerFlag('CHANGED', () => 2);
    env().registerFlag('UNCHANGED', async () => true);
    const {inForce, byDefault} = await readBack();
    expect(inForce).toMatchObject({CHANGED: 1, UNCHANGED: true});
    expect(byDefault).toMatchObject({CHANGED: 2, UNCHANGED: true});
  });

  it('that are not finite become strings, which JSON keeps, and come back as numbers', async () => {
    env().registerFlag('ENDLESS', () => Infinity);
    expect((await readBack()).inForce.ENDLESS).toBe('Infinity');
    setBeforeImport({ENDLESS_SET: '-Infinity'});
    env().registerFlag('ENDLESS_SET', () => 0);
    expect(env().getNumber('ENDLESS_SET')).toBe(-Infinity);
  });

  it('of a wrong type are refused, with the type wanted', () => {
    env().registerFlag('A_BOOLEAN', () => true);
    expect(() => setBeforeImport({A_BOOLEAN: 3})).toThrow('flag A_BOOLEAN takes a boolean, such as true, not number 3');
    setBeforeImport({A_NUMBER: true});
    env().registerFlag('A_NUMBER', () => 1);
    expect(() => checkAfterImport({A_NUMBER: true})).toThrow('flag A_NUMBER takes a number');
  });

  it('that nothing registers are told', () => {
    setBeforeImport({OF_ANOTHER_BACKEND: true});
    expect(checkAfterImport({OF_ANOTHER_BACKEND: true})).toEqual(['OF_ANOTHER_BACKEND']);
  });
});
