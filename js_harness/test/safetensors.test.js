import {describe, expect, it} from 'vitest';

import {decode, encode} from '../src/safetensors.js';

/** @param {Array<{name: string, dtype: string, shape: number[], data: any}>} tensors */
async function bytes(tensors) {
  const {parts, size} = encode(/** @type {any} */ (tensors));
  const buffer = await new Blob(/** @type {any} */ (parts)).arrayBuffer();
  expect(buffer.byteLength).toBe(size);
  return buffer;
}

/** @param {object} header @param {number} dataSize @param {string} [pad] */
function file(header, dataSize, pad = '') {
  const text = new TextEncoder().encode(JSON.stringify(header) + pad);
  const buffer = new ArrayBuffer(8 + text.length + dataSize);
  new DataView(buffer).setBigUint64(0, BigInt(text.length), true);
  new Uint8Array(buffer).set(text, 8);
  return buffer;
}

const float32 = (/** @type {number[]} */ ...values) => Float32Array.from(values);

describe('safetensors', () => {
  it('gives back what it wrote, of every dtype', async () => {
    const tensors = [
      {name: 'mask', dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1)},
      {name: 'x', dtype: 'float32', shape: [2, 2], data: float32(1, -2.5, 3e38, 1e-40)},
      {name: 'n', dtype: 'int32', shape: [1, 2], data: Int32Array.of(-2147483648, 2147483647)},
    ];
    const read = decode(await bytes(tensors));
    expect([...read.keys()].sort()).toEqual(['mask', 'n', 'x']);
    for (const tensor of tensors) expect(read.get(tensor.name)).toEqual(tensor);
  });

  it('holds the two parts of complex numbers in turn', async () => {
    const value = {name: 'c', dtype: 'complex64', shape: [1, 2], data: float32(1, -2, 3, 4)};
    const buffer = await bytes([{name: 'mask', dtype: 'bool', shape: [1], data: Uint8Array.of(1)}, value]);
    expect(decode(buffer).get('c')).toEqual(value);
    await expect(bytes([{...value, data: float32(1, 3)}])).rejects.toThrow('needs 4 values');
  });

  it('keeps NaN, infinities and minus zero', async () => {
    const values = float32(NaN, Infinity, -Infinity, -0);
    const read = decode(await bytes([{name: 'x', dtype: 'float32', shape: [4], data: values}]));
    expect([.../** @type {Float32Array} */ (read.get('x')?.data)]).toEqual([NaN, Infinity, -Infinity, -0]);
  });

  it('holds scalars and empty tensors', async () => {
    const read = decode(
      await bytes([
        {name: 'scalar', dtype: 'float32', shape: [], data: float32(7)},
        {name: 'empty', dtype: 'int32', shape: [0, 3], data: new Int32Array(0)},
      ]),
    );
    expect(read.get('scalar')).toMatchObject({shape: [], data: float32(7)});
    expect(read.get('empty')).toMatchObject({shape: [0, 3], data: new Int32Array(0)});
  });

  it('reads an aligned tensor as a view, without copying', async () => {
    const buffer = await bytes([{name: 'x', dtype: 'float32', shape: [2], data: float32(1, 2)}]);
    expect(decode(buffer).get('x')?.data.buffer).toBe(buffer);
  });

  it('reads a tensor that another writer left unaligned', () => {
    const buffer = file({x: {dtype: 'F32', shape: [1], data_offsets: [0, 4]}}, 4, ' ');
    const start = buffer.byteLength - 4;
    expect(start % 4).not.toBe(0);
    new DataView(buffer).setFloat32(start, 1.5, true);
    expect(decode(buffer).get('x')?.data).toEqual(float32(1.5));
  });

  it('reads texts, which are the bytes of a JSON list', () => {
    const list = new TextEncoder().encode(JSON.stringify(['blå', 'b']));
    const texts = JSON.stringify({word: [2, 1]});
    const entry = {dtype: 'U8', shape: [list.length], data_offsets: [0, list.length]};
    const buffer = file({__metadata__: {texts}, word: entry}, list.length);
    new Uint8Array(buffer).set(list, buffer.byteLength - list.length);
    expect(decode(buffer).get('word')).toEqual({name: 'word', dtype: 'string', shape: [2, 1], data: ['blå', 'b']});
  });

  it('leaves out the metadata', () => {
    expect(decode(file({__metadata__: {format: 'pt'}}, 0)).size).toBe(0);
  });

  it('refuses bytes that are cut short', async () => {
    const buffer = await bytes([{name: 'x', dtype: 'float32', shape: [2], data: float32(1, 2)}]);
    expect(() => decode(buffer.slice(0, 4))).toThrow('too short');
    expect(() => decode(buffer.slice(0, 20))).toThrow('cut short');
    expect(() => decode(buffer.slice(0, buffer.byteLength - 1))).toThrow('does not fit');
  });

  it('refuses a dtype that TensorFlow.js does not hold', () => {
    expect(() => decode(file({x: {dtype: 'F64', shape: [1], data_offsets: [0, 8]}}, 8))).toThrow('F64');
  });

  it('refuses a tensor whose values do not fill its shape', () => {
    const tensor = {name: 'x', dtype: 'float32', shape: [3], data: float32(1, 2)};
    expect(() => encode(/** @type {any} */ ([tensor]))).toThrow("'x' of shape [3] needs 3 values, has 2");
  });

  it('refuses two tensors of one name', () => {
    const tensor = {name: 'x', dtype: 'float32', shape: [1], data: float32(1)};
    expect(() => encode(/** @type {any} */ ([tensor, tensor]))).toThrow("two tensors are named 'x'");
  });
});
