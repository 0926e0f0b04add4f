// Measures the arithmetic of the active backend: runs a kernel and returns the bits of its result.
// Python interprets them: TensorFlow.js's own answer (floatPrecision) is not exact enough, and JSON cannot hold them.

import {mul, tensor1d} from '@tensorflow/tfjs-core';

/** Larger than the sizes up to which TensorFlow.js runs a kernel on the CPU by default (128 and 1000). */
const SIZE = 2048;

/** @returns {Promise<import('./protocol.d.ts').Probes>} */
export async function probe() {
  return {
    significand: await products([[2049, 1], [16777215, 1]]),
    denormals_float32: await products([[2 ** -126, 0.5], [2 ** -127, 1]]),
    denormals_float16: await products([[2 ** -14, 0.5], [2 ** -15, 1]]),
    limits_float16: await products([[2051, 1], [70000, 1]]),
  };
}

/** @param {Array<[number, number]>} pairs @returns {Promise<number[]>} the bits of each product */
async function products(pairs) {
  const column = (/** @type {0 | 1} */ side) =>
    tensor1d(Float32Array.from({length: SIZE}, (_, i) => pairs[i % pairs.length][side]), 'float32');
  const [left, right] = [column(0), column(1)];
  const product = mul(left, right);
  const values = /** @type {Float32Array} */ (await product.data());
  for (const tensor of [left, right, product]) tensor.dispose();
  return [...new Uint32Array(values.buffer, values.byteOffset, pairs.length)];
}
