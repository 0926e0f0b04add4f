import '@tensorflow/tfjs-backend-cpu';

import {beforeEach, describe, expect, it, vi} from 'vitest';

import {toJson} from '../src/decision.js';
import * as tf from '../src/for_apps/tfjs.js';
import {prepare} from '../src/prepare.js';
import {encode} from '../src/safetensors.js';

/** The outputs of one sample, by the URL of their file. @type {Record<string, any[]>} */
const OUTPUTS = {
  one: [{name: 'y', dtype: 'float32', shape: [1, 2], data: Float32Array.of(0.25, 0.75)}],
  two: [
    {name: 'z', dtype: 'int32', shape: [1], data: Int32Array.of(7)},
    {name: 'y', dtype: 'float32', shape: [1, 2], data: Float32Array.of(0.25, 0.75)},
  ],
};

vi.mock('../src/transfer.js', () => ({
  downloadFile: async (/** @type {string} */ url) => {
    const {parts} = encode(OUTPUTS[url]);
    return await new Blob(/** @type {BlobPart[]} */ (parts)).arrayBuffer();
  },
  upload: async (/** @type {string} */ _url, /** @type {any[]} */ tensors) => expect(tensors).toEqual([]),
}));
vi.stubGlobal('location', {href: 'http://127.0.0.1/token/'});

/** @param {string} body @param {string[]} urls @param {string[]} names */
async function decide(body, urls, names, rest = {}) {
  const module_url = `data:text/javascript,${encodeURIComponent(`export default async (outputs, tf) => {${body}}`)}`;
  const files = urls.map((url) => ({name: url, media_type: '', url}));
  const command = /** @type {any} */ ({
    type: 'prepare', id: 1, module_url, export: 'default', names, files, makes: 'decision', file_timeout_s: 1, batch_s: 10,
    batch_bytes: 1e6, outputs_url: 'outputs/1', upload_streams: 1, ...rest,
  });
  return (await prepare(command)).files;
}

describe('making decisions', () => {
  beforeEach(() => tf.setBackend('cpu'));

  it('gives one output as a tensor and several by name, and disposes them', async () => {
    const before = tf.memory().numTensors;
    const [one] = await decide('return {shape: outputs.shape, values: await outputs.data()};', ['one'], ['y']);
    expect(one).toMatchObject({decision: '{"shape":[1,2],"values":[0.25,0.75]}', failure: null, leaked_tensors: 0});
    const [two] = await decide('return [Object.keys(outputs), outputs.z.dtype, await outputs.z.data()];', ['two'], ['y', 'z']);
    expect(two.decision).toBe('[["y","z"],"int32",[7]]');
    await decide('outputs.dispose(); return 1;', ['one'], ['y']);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('names what fails for one sample, counts its tensors, and goes on', async () => {
    const files = await decide(
      'const [, b] = await outputs.data(); globalThis.calls = (globalThis.calls ?? 0) + 1;' +
      'if (globalThis.calls === 2) throw new RangeError("no label"); outputs.argMax(1); return b;',
      ['one', 'one', 'one'], ['y'],
    );
    expect(files.map(({failure, decision, leaked_tensors}) => [failure, decision, leaked_tensors])).toEqual([
      [null, '0.75', 1], ['threw', null, 0], [null, '0.75', 1],
    ]);
    expect(files[1].message).toMatch(/^RangeError: no label/);
    const [late] = await decide('await new Promise(() => {});', ['one'], ['y'], {file_timeout_s: 0.05});
    expect(late.failure).toBe('timeout');
  });

  it('answers after the decision that ends a batch', async () => {
    expect(await decide('return "x".repeat(99);', ['one', 'one', 'one'], ['y'], {batch_bytes: 150})).toHaveLength(2);
  });
});

describe('the JSON of a decision', () => {
  it('keeps NaN and infinity, and is that of JSON.stringify for the rest', () => {
    expect(toJson({a: NaN, b: [Infinity, -Infinity]})).toBe('{"a":NaN,"b":[Infinity,-Infinity]}');
    for (const value of ['a "b"\n', 1.5e-9, 1e21, true, null, [1, [2]], {a: undefined, 'b.c': {d: []}}, new Date(0)]) {
      expect(toJson(value)).toBe(JSON.stringify(value));
    }
    expect(toJson([Uint8Array.of(1, 2), 3n])).toBe('[[1,2],3]');
  });

  it('names what is no JSON, with its place', () => {
    /** @type {any} */
    const round = {inner: []};
    round.inner.push(round);
    const shared = [1];
    expect(toJson([shared, shared])).toBe('[[1],[1]]');
    /** @type {[unknown, RegExp][]} */
    const refused = [
      [undefined, /^the function returned undefined: return text, numbers/],
      [{boxes: [{label: () => 1}]}, /^'boxes\[0\]\.label' is a function/],
      [[1, undefined], /^'\[1\]' is undefined/],
      [new Map(), /^the function returned a Map/],
      [{score: tf.tensor([1])}, /^'score' is a tensor: read it with await tensor\.data\(\)/],
      [{label: Promise.resolve('cat')}, /^'label' is a Promise/],
      [round, /^'inner\[0\]' is an object that it is part of/],
      ['x'.repeat(1_000_000), /^the function returned 1000002 characters of JSON, more than 1000000/],
    ];
    for (const [value, message] of refused) expect(() => toJson(value)).toThrow(message);
  });
});
