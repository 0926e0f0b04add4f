// The JavaScript examples of an article on NaN in TensorFlow.js, in code of our own; docs/seeds.md tells of them.

import '@tensorflow/tfjs-backend-cpu';

import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import {beforeAll, describe, expect, test} from 'vitest';

beforeAll(() => tf.setBackend('cpu'));

/** The share `q` of sorted values, between two of them as NumPy takes it. @param {number[]} values @param {number} q */
function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

/** Each column less its median, by its interquartile range. @param {number[][]} rows */
function robustScale(rows) {
  const columns = rows[0].map((_, column) => rows.map((row) => row[column]));
  const median = columns.map((values) => quantile(values, 0.5));
  const range = columns.map((values) => quantile(values, 0.75) - quantile(values, 0.25));
  return tf.tidy(() => tf.div(tf.sub(tf.tensor2d(rows), tf.tensor1d(median)), tf.tensor1d(range)));
}

describe('robust scaling', () => {
  test('calls tf.median and tf.quantile, which there are not', () => {
    expect(tf).not.toHaveProperty('median');
    expect(tf).not.toHaveProperty('quantile');
  });

  test('written out, leaves the outlier where it was and the rest near 0', async () => {
    const rows = [1, 2, 3, 4, 1e10].map((value) => [value]);
    expect([...(await robustScale(rows).data())]).toEqual([-1, -0.5, 0, 0.5, Math.fround((1e10 - 3) / 2)]);
  });

  test('makes NaN of a column that does not vary', async () => {
    const rows = [1, 2, 3, 4].map((value) => [value, 7]);
    const values = [...(await robustScale(rows).data())];
    expect(values.filter((_, index) => index % 2 === 1)).toEqual([NaN, NaN, NaN, NaN]);
    expect(values.filter((_, index) => index % 2 === 0).every(Number.isFinite)).toBe(true);
  });
});

test('a network of relu, compiled with Adam and the mean squared error, learns and stays finite', async () => {
  const model = layers.sequential({
    layers: [
      layers.layers.dense({
        units: 64,
        activation: 'relu',
        inputShape: [10],
        kernelInitializer: layers.initializers.glorotUniform({seed: 1}),
      }),
      layers.layers.dense({units: 32, activation: 'relu', kernelInitializer: layers.initializers.glorotUniform({seed: 2})}),
      layers.layers.dense({units: 1, kernelInitializer: layers.initializers.glorotUniform({seed: 3})}),
    ],
  });
  model.compile({optimizer: 'adam', loss: 'meanSquaredError', metrics: ['accuracy']});
  const [x, y] = [tf.randomUniform([100, 10], 0, 1, 'float32', 4), tf.randomUniform([100, 1], 0, 1, 'float32', 5)];
  const {history} = await model.fit(x, y, {epochs: 10});
  const losses = /** @type {number[]} */ (history.loss);
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(losses[9]).toBeLessThan(losses[0]);
});

describe('a callback that stops at a loss of NaN', () => {
  test('is no JavaScript as the article has it', () => {
    expect(() => new Function('model', 'return async () => { await model.stopTraining = true; }')).toThrow(SyntaxError);
  });

  test('stops, when the weights are NaN already, and after the loss was infinite for some epochs', async () => {
    const layer = layers.layers.dense({units: 1, inputShape: [1], kernelInitializer: layers.initializers.constant({value: 0.5})});
    const model = layers.sequential({layers: [layer]});
    model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
    const [x, y] = [tf.tensor2d([[1000], [2000], [3000], [4000]]), tf.tensor2d([[5], [10], [15], [20]])];
    /** @type {number[]} */
    const losses = [];
    await model.fit(x, y, {
      epochs: 100,
      callbacks: {
        onEpochEnd: async (_, logs) => {
          losses.push(/** @type {number} */ (logs?.loss));
          if (Number.isNaN(losses.at(-1))) model.stopTraining = true;
        },
      },
    });
    expect(losses.findIndex((loss) => !Number.isFinite(loss))).toBe(3);
    expect(losses.findIndex(Number.isNaN)).toBe(8);
    expect(losses).toHaveLength(9);
    expect([...(await model.getWeights()[0].data())]).toEqual([NaN]);
  });
});
