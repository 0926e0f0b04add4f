// Converts named tensors to and from safetensors bytes: https://huggingface.co/docs/safetensors
// It supports the types of TensorFlow.js: float32, int32, bool and complex64, little endian as every browser is. The data of a
// complex tensor are its real and imaginary parts in turn.

/** @typedef {import('./protocol.d.ts').Dtype} Dtype */
/** @typedef {Float32Array | Int32Array | Uint8Array} Data */
/** @typedef {{name: string, dtype: Dtype, shape: number[], data: Data}} NamedTensor */

const PREFIX = 8; // bytes that hold the header's length

/** @type {Record<string, Dtype>} */
const DTYPES = {F32: 'float32', I32: 'int32', BOOL: 'bool', C64: 'complex64'};
/** @type {Record<Dtype, string>} */
const CODES = {float32: 'F32', int32: 'I32', bool: 'BOOL', complex64: 'C64'};
/** @typedef {{BYTES_PER_ELEMENT: number, new (buffer: ArrayBuffer, offset: number, length: number): Data, from(values: ArrayLike<number>): Data}} ArrayType */
/** @type {Record<Dtype, ArrayType>} */
export const ARRAYS = {float32: Float32Array, int32: Int32Array, bool: Uint8Array, complex64: Float32Array};

/** Returns the count of numbers in a tensor. @param {Dtype} dtype @param {readonly number[]} shape */
function numbersOf(dtype, shape) {
  return shape.reduce((product, dimension) => product * dimension, dtype === 'complex64' ? 2 : 1);
}

/**
 * Returns the tensors of a file, as views of aligned data; files of this writer and of Python are aligned.
 * @param {ArrayBuffer} buffer
 * @returns {Map<string, NamedTensor>}
 */
export function decode(buffer) {
  if (buffer.byteLength < PREFIX) throw new Error(`${buffer.byteLength} bytes are too short to be safetensors`);
  const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
  const start = PREFIX + headerLength;
  if (start > buffer.byteLength) {
    throw new Error(`safetensors cut short: ${buffer.byteLength} bytes, the header alone ends at ${start}`);
  }
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, PREFIX, headerLength)));
  const texts = JSON.parse(header.__metadata__?.texts ?? '{}');
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    tensors.set(name, texts[name] ? readTexts(name, texts[name], entry, buffer, start) : read(name, entry, buffer, start));
  }
  return tensors;
}

/**
 * Returns a file as its pieces, for a Blob, without concatenating them first.
 * @param {ReadonlyArray<NamedTensor>} tensors
 * @returns {{parts: Array<Uint8Array | Data>, size: number}}
 */
export function encode(tensors) {
  // Four-byte dtypes come first, so that a bool does not break their alignment.
  const ordered = [...tensors].sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  /** @type {Record<string, {dtype: string, shape: number[], data_offsets: [number, number]}>} */
  const header = {};
  let offset = 0;
  for (const {name, dtype, shape, data} of ordered) {
    const size = numbersOf(dtype, shape);
    if (size !== data.length) {
      throw new Error(`tensor '${name}' of shape [${shape}] needs ${size} values, has ${data.length}`);
    }
    if (name in header) throw new Error(`two tensors are named '${name}'`);
    header[name] = {dtype: CODES[dtype], shape, data_offsets: [offset, offset + data.byteLength]};
    offset += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const head = new Uint8Array(PREFIX + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(text, PREFIX);
  return {parts: [head, ...ordered.map(({data}) => data)], size: head.length + offset};
}

/**
 * Reads texts, which are stored as the bytes of a JSON list. Only tf.tensor uses them, which accepts texts as data.
 * @param {string} name
 * @param {number[]} shape
 * @param {{data_offsets: [number, number]}} entry
 * @param {ArrayBuffer} buffer
 * @param {number} start where the data begins
 * @returns {NamedTensor}
 */
function readTexts(name, shape, {data_offsets: [begin, end]}, buffer, start) {
  const data = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, start + begin, end - begin)));
  return /** @type {NamedTensor} */ (/** @type {unknown} */ ({name, dtype: 'string', shape, data}));
}

/**
 * @param {string} name
 * @param {{dtype: string, shape: number[], data_offsets: [number, number]}} entry
 * @param {ArrayBuffer} buffer
 * @param {number} start where the data begins
 * @returns {NamedTensor}
 */
function read(name, {dtype: code, shape, data_offsets: [begin, end]}, buffer, start) {
  const dtype = DTYPES[code];
  if (!dtype) throw new Error(`tensor '${name}' has dtype ${code}; TensorFlow.js supports ${Object.keys(DTYPES)}`);
  const Type = ARRAYS[dtype];
  const length = numbersOf(dtype, shape);
  if (end - begin !== length * Type.BYTES_PER_ELEMENT || begin < 0 || start + end > buffer.byteLength) {
    throw new Error(`tensor '${name}' of shape [${shape}] does not fit its bytes ${begin} to ${end}`);
  }
  const offset = start + begin;
  const data =
    offset % Type.BYTES_PER_ELEMENT === 0
      ? new Type(buffer, offset, length)
      : new Type(buffer.slice(offset, start + end), 0, length);
  return {name, dtype, shape, data};
}
