// Computes a loss that is given as a formula: a program for a stack, from pycheck/training/formula.py.

import * as tf from '@tensorflow/tfjs-core';

/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */

/** @type {Record<string, (...operands: Tensor[]) => Tensor>} */
const OPERATIONS = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  pow: tf.pow,
  neg: tf.neg,
  abs: tf.abs,
  exp: tf.exp,
  expm1: tf.expm1,
  log: tf.log,
  log1p: tf.log1p,
  max: (x) => tf.max(x, -1, true),
  maximum: tf.maximum,
  mean: (x) => tf.mean(x, -1, true),
  minimum: tf.minimum,
  nan_to_zero: (x) => tf.where(tf.isNaN(x), tf.zerosLike(x), x),
  relu: tf.relu,
  sigmoid: tf.sigmoid,
  softplus: tf.softplus,
  sqrt: tf.sqrt,
  square: tf.square,
  sum: (x) => tf.sum(x, -1, true),
  tanh: tf.tanh,
};
const TWO = new Set(['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum']);

/**
 * @param {readonly string[]} words
 * @returns {(y: Tensor, p: Tensor) => Tensor} for targets and the model's output; not yet reduced to one number
 */
export function formula(words) {
  return (y, p) =>
    tf.tidy(() => {
      /** @type {Array<Tensor | number>} */
      const stack = [];
      const pop = () => {
        const value = stack.pop();
        if (value === undefined) throw new Error(`the program ${words.join(' ')} needs more operands than the stack holds`);
        return value;
      };
      for (const word of words) {
        if (word === 'y' || word === 'p') stack.push(word === 'y' ? y : p);
        else if (word === 'clip') {
          const [high, low, x] = [pop(), pop(), pop()];
          stack.push(tf.clipByValue(asTensor(x), Number(low), Number(high)));
        } else if (word in OPERATIONS) {
          const operands = TWO.has(word) ? [pop(), pop()].reverse() : [pop()];
          stack.push(OPERATIONS[word](...operands.map(asTensor)));
        } else stack.push(Number(word));
      }
      return asTensor(pop());
    });
}

/** @param {Tensor | number} value */
function asTensor(value) {
  return typeof value === 'number' ? tf.scalar(value) : value;
}
