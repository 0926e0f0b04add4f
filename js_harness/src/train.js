// Trains a layers model like an ordinary page, with trainOnBatch, and keeps the results of every step.
//
// Nothing is computed from the data that is sent: gradients, weights and layers' results are read unchanged and
// concatenated. WebGL keeps a tensor that was read on the CPU, where other kernels would compute with it. Tensors are
// therefore read after their last use: gradients after their update, and weights after the next step has replaced them.

import * as tf from '@tensorflow/tfjs-core';
import {regularizers} from '@tensorflow/tfjs-layers';

import {formula} from './formula.js';

/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */
/** @typedef {import('@tensorflow/tfjs-core').Optimizer} Optimizer */
/** @typedef {import('@tensorflow/tfjs-layers').LayersModel} LayersModel */
/** @typedef {import('@tensorflow/tfjs-layers').LayerVariable} LayerVariable */
/** @typedef {import('./safetensors.js').NamedTensor} NamedTensor */
/** @typedef {import('./protocol.d.ts').Compile} Compile */
/** @typedef {{name: string, tensor: Tensor | null | undefined}} Gradient */
/** @typedef {{x: Tensor[], y: Tensor[]}} Batch */

/** Initial weights of each compiled model, to start again from. @type {WeakMap<LayersModel, Tensor[]>} */
const INITIAL = new WeakMap();

/** Backends that can be read synchronously. */
const IMMEDIATE = new Set(['cpu', 'wasm']);

export class Training {
  #model;
  #optimizer;
  #command;
  /** @type {LayerVariable[]} */
  #weights;
  /** @type {Batch[]} */
  #batches;
  #observing = false;
  #activations = true;
  /** @type {Tensor[]} */
  #gradients = [];
  /** @type {Array<{layer: string, value: Tensor}>} */
  #results = [];
  /** @type {Array<() => void>} */
  #undo = [];

  /**
   * @param {LayersModel} model
   * @param {Compile} command
   * @param {ReadonlyMap<string, NamedTensor>} data
   */
  constructor(model, command, data) {
    this.#model = model;
    this.#command = command;
    restart(model);
    for (const weight of model.weights) {
      if (command.frozen.includes(weight.originalName)) weight.trainable = false;
    }
    addPenalties(model, command.penalties);
    this.#optimizer = makeOptimizer(command);
    const apply = this.#optimizer.applyGradients.bind(this.#optimizer);
    this.#optimizer.applyGradients = (given) => this.#apply(/** @type {Gradient[]} */ (given), apply);
    model.compile({optimizer: this.#optimizer, loss: makeLoss(command)});
    const trainable = model.trainableWeights;
    this.trainableCount = trainable.length;
    this.#weights = [...trainable, ...model.weights.filter((weight) => !trainable.includes(weight))];
    this.variables = this.#weights.map(({originalName, dtype, shape}) => ({name: originalName, dtype, shape}));
    this.#batches = cut(command, data);
    this.#watch();
  }

  /** @returns {Promise<NamedTensor[]>} named by their index */
  async initialWeights() {
    return Promise.all(
      this.#weights.map(async (weight, index) => {
        const value = weight.read();
        const data = /** @type {Float32Array} */ (await value.data());
        return {name: String(index), dtype: /** @type {const} */ ('float32'), shape: value.shape, data};
      }),
    );
  }

  /**
   * @param {number} first
   * @param {number} count
   * @param {boolean} observe
   * @returns {Promise<{outputs: NamedTensor[], layers: string[]}>}
   */
  async run(first, count, observe) {
    this.#observing = observe;
    const losses = new Float32Array(count);
    /** @type {Array<Promise<Float32Array[]>>} */
    const reading = [];
    /** @type {number[]} */
    const sizes = [];
    /** @type {string[]} */
    let layers = [];
    /** @type {Tensor[]} weights after the step before */
    let replaced = [];
    for (let step = 0; step < count; step++) {
      const {x, y} = this.#batches[(first + step) % this.#batches.length];
      const loss = await this.#model.trainOnBatch(x.length === 1 ? x[0] : x, y.length === 1 ? y[0] : y);
      losses[step] = Array.isArray(loss) ? loss[0] : loss;
      if (!observe) continue;
      layers = this.#results.map(({layer}) => layer);
      sizes.push(...this.#results.map(({value}) => value.size));
      if (step) reading.push(this.#read(replaced));
      reading.push(this.#read(this.#gradients), this.#read(this.#results.map(({value}) => value)));
      this.#gradients = [];
      this.#results = [];
      replaced = this.#weights.map((weight) => tf.keep(weight.read().clone()));
    }
    if (observe) {
      reading.push(this.#read(replaced.map((value) => tf.tidy(() => tf.keep(tf.concat([flatten(value)]))))));
      tf.dispose(replaced);
    }
    const outputs = this.#packed(await Promise.all(reading));
    outputs.push({name: 'loss', dtype: 'float32', shape: [count], data: losses});
    outputs.push({name: 'sizes', dtype: 'int32', shape: [sizes.length], data: Int32Array.from(sizes)});
    return {outputs, layers};
  }

  /**
   * Packs the values of each step into one tensor: its gradients and layers' results, then its weights.
   * @param {Float32Array[][]} read @returns {NamedTensor[]}
   */
  #packed(read) {
    /** @type {NamedTensor[]} */
    const outputs = [];
    for (let at = 0, step = 0; at + 2 < read.length; at += 3, step++) {
      const [gradients, results, weights] = read.slice(at, at + 3);
      const parts = [...gradients.map(this.#sample), ...weights.map(this.#sample), ...results];
      const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
      let offset = 0;
      for (const part of parts) {
        data.set(part, offset);
        offset += part.length;
      }
      outputs.push({name: `step/${step}`, dtype: 'float32', shape: [data.length], data});
    }
    return outputs;
  }

  /** Reads tensors, and disposes them. @param {Tensor[]} tensors @returns {Promise<Float32Array[]>} */
  async #read(tensors) {
    // CPU and WebAssembly are read synchronously; a GPU has to be awaited.
    if (!IMMEDIATE.has(tf.getBackend())) {
      const values = await Promise.all(tensors.map((value) => value.data()));
      tf.dispose(tensors);
      return /** @type {Float32Array[]} */ (values);
    }
    const values = tensors.map((value) => /** @type {Float32Array} */ (value.dataSync()));
    tf.dispose(tensors);
    return values;
  }

  /** Returns evenly spaced elements if there are too many. @param {Float32Array} values */
  #sample = (values) => {
    const stride = Math.ceil(values.length / this.#command.seen_elements);
    return stride > 1 ? values.filter((_, index) => index % stride === 0) : values;
  };

  /** @param {boolean} [withModel] whether the model is disposed too, so that it will not start again */
  dispose(withModel = false) {
    this.#undo.forEach((undo) => undo());
    this.#batches.forEach(({x, y}) => tf.dispose([x, y]));
    this.#optimizer.dispose();
    if (withModel) {
      tf.dispose(INITIAL.get(this.#model) ?? []);
      INITIAL.delete(this.#model);
    }
  }

  /** @param {Gradient[]} given @param {Optimizer['applyGradients']} apply */
  #apply(given, apply) {
    if (this.#observing) {
      this.#gradients = given.map(({tensor}, index) =>
        tf.keep(tensor ? tensor.clone() : tf.zerosLike(this.#weights[index].read())),
      );
    }
    const {clipnorm, global_clipnorm, clipvalue} = this.#command;
    if (clipnorm === null && global_clipnorm === null && clipvalue === null) {
      apply(/** @type {any} */ (given));
      return;
    }
    const clipped = clip(given, this.#command);
    apply(/** @type {any} */ (clipped));
    clipped.forEach(({tensor}) => tensor?.dispose());
  }

  /** Keeps the result of each layer, unless they are too large. */
  #watch() {
    for (const layer of this.#model.layers) {
      if (layer.getClassName() === 'InputLayer') continue;
      const {call} = layer;
      layer.call = (inputs, kwargs) => {
        const result = call.call(layer, inputs, kwargs);
        if (this.#observing && this.#activations) this.#keep(layer.name, Array.isArray(result) ? result : [result]);
        return result;
      };
      this.#undo.push(() => {
        layer.call = call;
      });
    }
  }

  /** @param {string} layer @param {Tensor[]} values */
  #keep(layer, values) {
    for (const value of values) {
      if (value.dtype === 'float32') this.#results.push({layer, value: tf.keep(value.clone())});
    }
    const size = this.#results.reduce((sum, {value}) => sum + value.size, 0);
    if (size > this.#command.activation_elements) {
      this.#activations = false;
      tf.dispose(this.#results.map(({value}) => value));
      this.#results = [];
    }
  }
}

/** @param {Tensor} value */
function flatten(value) {
  return tf.reshape(value, [value.size]);
}

/** Restores the model's initial weights. @param {LayersModel} model */
function restart(model) {
  const initial = INITIAL.get(model);
  if (initial) model.weights.forEach((weight, index) => weight.write(initial[index]));
  else INITIAL.set(model, model.weights.map((weight) => tf.keep(weight.read().clone())));
}

/** @param {LayersModel} model @param {Compile['penalties']} penalties */
function addPenalties(model, penalties) {
  for (const layer of model.layers) {
    layer.losses.length = 0;
    for (const weight of layer.weights) {
      const penalty = penalties.find(({weight: name}) => name === weight.originalName);
      if (!penalty) continue;
      const regularizer = regularizers.l1l2({l1: penalty.l1, l2: penalty.l2});
      layer.addLoss(() => regularizer.apply(weight.read()));
    }
  }
}

/** Makes TF.js's optimizer; settings that the command omits have TF.js's defaults. @param {Compile} command @returns {Optimizer} */
function makeOptimizer({optimizer, learning_rate: rate, settings, epsilon}) {
  const own = epsilon ?? undefined;
  switch (optimizer) {
    case 'sgd':
      return tf.train.sgd(rate);
    case 'momentum':
      return tf.train.momentum(rate, settings.momentum, settings.nesterov === 1);
    case 'rmsprop':
      return tf.train.rmsprop(rate, settings.rho, settings.momentum, own);
    case 'adagrad':
      return tf.train.adagrad(rate, settings.initial_accumulator_value);
    case 'adadelta':
      return tf.train.adadelta(rate, settings.rho, own);
    case 'adam':
      return tf.train.adam(rate, settings.beta_1, settings.beta_2, own);
    case 'adamax':
      return tf.train.adamax(rate, settings.beta_1, settings.beta_2, own);
  }
}

/** @param {Compile} command @returns {any} a name that tfjs-layers knows, or a function */
function makeLoss({loss, from_logits, program}) {
  if (loss === 'formula') return formula(program);
  if (!from_logits) return loss;
  const {sigmoidCrossEntropy, softmaxCrossEntropy} = tf.losses;
  const function_ = loss === 'binaryCrossentropy' ? sigmoidCrossEntropy : softmaxCrossEntropy;
  return (/** @type {Tensor} */ y, /** @type {Tensor} */ p) => function_(y, p, 1, 0, tf.Reduction.NONE);
}

/**
 * Clips gradients with Keras's formulas, between gradient and update, because TF.js's optimizers do not clip.
 * @param {Gradient[]} given @param {Compile} command @returns {Gradient[]}
 */
function clip(given, {clipnorm, global_clipnorm, clipvalue}) {
  return tf.tidy(() => {
    const tensors = given.map(({tensor}) => /** @type {Tensor} */ (tensor));
    const norm = (/** @type {Tensor[]} */ values) => tf.sqrt(tf.addN(values.map((value) => tf.sum(tf.square(value)))));
    /** @type {(value: Tensor) => Tensor} */
    let change = (value) => value;
    if (clipvalue !== null) change = (value) => tf.clipByValue(value, -clipvalue, clipvalue);
    else if (clipnorm !== null) {
      change = (value) => tf.div(tf.mul(value, clipnorm), tf.maximum(norm([value]), clipnorm));
    } else if (global_clipnorm !== null) {
      const all = norm(tensors);
      const scale = tf.mul(global_clipnorm, tf.minimum(tf.div(1, all), 1 / global_clipnorm));
      const spoiled = tf.add(scale, tf.sub(all, all)); // NaN if the norm is not finite, as in Keras
      change = (value) => tf.mul(value, spoiled);
    }
    return given.map(({name}, index) => ({name, tensor: tf.keep(change(tensors[index]).clone())}));
  });
}

/** @param {Compile} command @param {ReadonlyMap<string, NamedTensor>} data @returns {Batch[]} */
function cut({inputs, targets, batch_size}, data) {
  const tensors = (/** @type {readonly string[]} */ names) =>
    names.map((name) => {
      const found = data.get(name);
      if (!found) throw new Error(`'${name}' is missing; received: ${[...data.keys()].join(', ')}`);
      return found;
    });
  const [xs, ys] = [tensors(inputs), tensors(targets)];
  const count = xs[0].shape[0];
  /** @type {Batch[]} */
  const batches = [];
  for (let start = 0; start < count; start += batch_size) {
    const end = Math.min(start + batch_size, count);
    const rows = (/** @type {NamedTensor} */ {data: values, shape, dtype}) => {
      const size = values.length / count;
      return tf.tensor(values.slice(start * size, end * size), [end - start, ...shape.slice(1)], dtype);
    };
    batches.push({x: xs.map(rows), y: ys.map(rows)});
  }
  return batches;
}
