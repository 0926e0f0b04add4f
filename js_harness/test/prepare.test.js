import '@tensorflow/tfjs-backend-cpu';

import {beforeEach, describe, expect, it, vi} from 'vitest';

import * as tf from '../src/for_apps/tfjs.js';
import {prepare} from '../src/prepare.js';

/** @type {{url: string, tensors: any[]}[]} */
const sent = vi.hoisted(() => []);
vi.mock('../src/transfer.js', () => ({
  downloadFile: async (/** @type {string} */ url) => {
    if (url === 'gone') throw new Error('GET gone: 404 No such file');
    return new TextEncoder().encode(url).buffer;
  },
  upload: async (/** @type {string} */ url, /** @type {any[]} */ tensors) => void sent.push({url, tensors}),
}));
vi.stubGlobal('location', {href: 'http://127.0.0.1/token/'});

/** A module whose function gets files with their URLs as contents. @param {string} body */
const moduleOf = (body) => `data:text/javascript,${encodeURIComponent(`export default async (file, tf) => {${body}}`)}`;

/** @param {string} module_url @param {string[]} urls @param {object} [rest] */
function command(module_url, urls, rest = {}) {
  const files = urls.map((url) => ({name: `${url}.txt`, media_type: 'text/plain', url}));
  return /** @type {any} */ ({
    type: 'prepare', id: 1, module_url, export: 'default', names: ['x'], files, file_timeout_s: 1, batch_s: 10,
    batch_bytes: 1e6, outputs_url: 'outputs/1', upload_streams: 1, ...rest,
  });
}

describe('preparing files', () => {
  beforeEach(async () => {
    sent.length = 0;
    await tf.setBackend('cpu');
  });

  it('sends the tensors of each file, by its number, and disposes them', async () => {
    const before = tf.memory().numTensors;
    const url = moduleOf('return tf.tensor([(await file.text()).length, file.name.length], [2], "int32");');
    const reply = await prepare(command(url, ['a', 'abc']));
    expect(reply.files.map(({failure}) => failure)).toEqual([null, null]);
    expect(reply.backend).toBe('cpu');
    expect(sent).toEqual([{
      url: 'outputs/1',
      tensors: [
        {name: '0/x', dtype: 'int32', shape: [2], data: Int32Array.of(1, 5)},
        {name: '1/x', dtype: 'int32', shape: [2], data: Int32Array.of(3, 7)},
      ],
    }]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('answers after the file that ends a batch', async () => {
    const url = moduleOf('return tf.zeros([100]);');
    expect((await prepare(command(url, ['a', 'b', 'c'], {batch_bytes: 800}))).files).toHaveLength(2);
    expect((await prepare(command(url, ['a', 'b', 'c'], {batch_s: 0}))).files).toHaveLength(1);
  });

  it('names a file that fails, counts its tensors, and goes on', async () => {
    const url = moduleOf('tf.zeros([1]); if (file.name === "b.txt") throw new TypeError("no"); return tf.zeros([1]);');
    const {files} = await prepare(command(url, ['a', 'b', 'gone', 'c']));
    expect(files.map(({failure, leaked_tensors}) => [failure, leaked_tensors])).toEqual([
      [null, 1], ['threw', 1], ['unreadable', 0], [null, 1],
    ]);
    expect(files[1].message).toMatch(/^TypeError: no/);
    expect(files[2].message).toBe('GET gone: 404 No such file');
  });

  it('ends a file that takes too long', async () => {
    const url = moduleOf('if (file.name === "a.txt") await new Promise(() => {}); return tf.zeros([1]);');
    const {files} = await prepare(command(url, ['a', 'b'], {file_timeout_s: 0.05}));
    expect(files.map(({failure}) => failure)).toEqual(['timeout', null]);
  });

  it('refuses objects with other names, and disposes their tensors', async () => {
    const before = tf.memory().numTensors;
    const url = moduleOf('return {x: tf.zeros([1]), y: tf.zeros([1])};');
    const [file] = (await prepare(command(url, ['a']))).files;
    expect(file).toMatchObject({failure: 'result', leaked_tensors: 0});
    expect(tf.memory().numTensors).toBe(before);
    expect((await prepare(command(url, ['b'], {names: ['y', 'x']}))).files[0].failure).toBe(null);
  });

  it('fails as a whole if the module lacks the export, or does not load', async () => {
    const url = 'data:text/javascript,export const named = () => 1, other = 2';
    await expect(prepare(command(url, ['a']))).rejects.toThrow("no export 'default'; the functions that it exports are: named");
    await expect(prepare(command(url, ['a'], {export: 'other'}))).rejects.toThrow("'other' is not a function");
    const throwing = 'data:text/javascript,throw new TypeError("no config")';
    await expect(prepare(command(throwing, ['a']))).rejects.toMatchObject({code: 'app', message: /^TypeError: no config/});
  });
});
