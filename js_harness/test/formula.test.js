import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import {expect, test} from 'vitest';

import {formula} from '../src/formula.js';

const [y, p] = [tf.tensor2d([[1, 2]]), tf.tensor2d([[0.5, 4]])];

test('a formula is computed as its program says', async () => {
  const program = ['y', 'p', 'sub', 'square', '2.0', 'div', 'p', '0.0', '1.0', 'clip', '2.0', 'pow', 'add', 'sum'];
  const [value] = await formula(program)(y, p).data();
  expect(value).toBeCloseTo((0.25 + 4) / 2 + 0.25 + 1);
});

test('a program that needs more operands than the stack holds is rejected', () => {
  expect(() => formula(['p', 'add'])(y, p)).toThrow('needs more operands than the stack holds');
});

test('nothing is left in memory but the result', () => {
  const before = tf.memory().numTensors;
  formula(['y', 'p', 'mul', 'mean'])(y, p).dispose();
  expect(tf.memory().numTensors).toBe(before);
});
