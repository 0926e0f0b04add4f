import '@tensorflow/tfjs-backend-cpu';

import {engine, memory, setBackend, tensor2d, tensor3d} from '@tensorflow/tfjs-core';
// The executor of points.js is a file of this module; the package's own entry for Node has another one within it.
import {input, layers, model as build} from '@tensorflow/tfjs-layers/dist/index';
import {beforeAll, describe, expect, it} from 'vitest';

import {Points} from '../src/points.js';

/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */
/** @typedef {import('@tensorflow/tfjs-layers').SymbolicTensor} Symbolic */

const [SAMPLES, STEPS, SIZE] = [4, 5, 3];
let seed = 1;

/** Rows of ids that end with zeros, the last one of zeros only. */
const ids = () => tensor2d([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0], [0, 6, 0, 8, 0], [0, 0, 0, 0, 0]], [SAMPLES, STEPS], 'int32');

/** Steps of which some are zeros. */
const steps = () => {
  const numbers = Array.from({length: SAMPLES * STEPS * SIZE}, (_, at) => (at % 11 < 6 ? 0 : Math.sin(at)));
  return tensor3d(numbers, [SAMPLES, STEPS, SIZE]);
};

const random = () => /** @type {any} */ ({className: 'RandomNormal', config: {stddev: 0.7, seed: seed++}});
const table = (/** @type {string} */ name) =>
  layers.embedding({name, inputDim: 9, outputDim: SIZE, maskZero: true, embeddingsInitializer: random()});
const dense = (/** @type {string} */ name) => layers.dense({name, units: SIZE, kernelInitializer: random()});
const recurrent = (/** @type {string} */ name, more = {}) =>
  layers.lstm({name, units: SIZE, kernelInitializer: random(), recurrentInitializer: random(), ...more});
const through = (/** @type {any} */ x, /** @type {any[]} */ ...chain) =>
  /** @type {Symbolic} */ (chain.reduce((value, layer) => layer.apply(value), x));
const words = () => input({name: 'ids', shape: [STEPS], dtype: 'int32'});
const series = () => input({name: 'steps', shape: [STEPS, SIZE]});

/** Inner layers as a model of one input. @param {...any} chain */
function nested(...chain) {
  const x = input({name: 'given', shape: [STEPS, SIZE]});
  return build({name: 'inner', inputs: x, outputs: through(x, ...chain)});
}

/**
 * Models whose last layer reads a mask; the operand of that layer, followed by the tensors of which the mask is computed;
 * and values of the inputs.
 * @type {Record<string, () => {inputs: Symbolic[], outputs: Symbolic, given: string[], values: Tensor[]}>}
 */
const MODELS = {
  'an embedding': () => {
    const x = words();
    return {inputs: [x], outputs: through(x, table('table'), recurrent('last')), given: ['table', 'ids'], values: [ids()]};
  },
  'an embedding, through layers that pass masks on': () => {
    const x = words();
    const inner = /** @type {any} */ (dense('within'));
    const chain = [dense('dense'), layers.timeDistributed({name: 'each', layer: inner}), layers.reLU({name: 'cut'})];
    const outputs = through(x, table('table'), ...chain, recurrent('last'));
    return {inputs: [x], outputs, given: ['cut', 'ids'], values: [ids()]};
  },
  'an embedding, through a recurrent layer': () => {
    const x = words();
    const outputs = through(x, table('table'), recurrent('first', {returnSequences: true}), recurrent('last'));
    return {inputs: [x], outputs, given: ['first', 'ids'], values: [ids()]};
  },
  'a mask of the input': () => {
    const x = series();
    const outputs = through(x, layers.masking({name: 'mask'}), dense('dense'), recurrent('last'));
    return {inputs: [x], outputs, given: ['dense', 'steps'], values: [steps()]};
  },
  'a mask of a computed value': () => {
    const x = series();
    const outputs = through(x, layers.reLU({name: 'cut'}), layers.masking({name: 'mask'}), dense('dense'), recurrent('last'));
    return {inputs: [x], outputs, given: ['dense', 'cut'], values: [steps()]};
  },
  'two masks that are concatenated': () => {
    const [x, y] = [words(), series()];
    const masked = through(y, layers.masking({name: 'mask'}));
    const both = through([through(x, table('table')), masked], layers.concatenate({name: 'both'}));
    return {inputs: [x, y], outputs: through(both, recurrent('last')), given: ['both', 'ids', 'steps'], values: [ids(), steps()]};
  },
  'a mask, concatenated with a value without one': () => {
    const [x, y] = [words(), series()];
    const plain = through(y, layers.reshape({name: 'plain', targetShape: [STEPS, SIZE]}));
    const both = through([plain, through(x, table('table'))], layers.concatenate({name: 'both'}));
    return {inputs: [x, y], outputs: through(both, recurrent('last')), given: ['both', 'plain', 'ids'], values: [ids(), steps()]};
  },
  'both directions': () => {
    const x = words();
    const layer = /** @type {any} */ (recurrent('inside'));
    const last = layers.bidirectional({name: 'last', layer, mergeMode: 'concat'});
    return {inputs: [x], outputs: through(x, table('table'), last), given: ['table', 'ids'], values: [ids()]};
  },
  'an embedding outside of a nested model': () => {
    const x = words();
    const outputs = through(x, table('table'), nested(dense('dense'), recurrent('last')));
    return {inputs: [x], outputs, given: ['inner/dense', 'ids'], values: [ids()]};
  },
  'a mask of a computed value, outside of a nested model': () => {
    const x = series();
    const outputs = through(x, layers.reLU({name: 'cut'}), layers.masking({name: 'mask'}), nested(dense('dense'), recurrent('last')));
    return {inputs: [x], outputs, given: ['inner/dense', 'cut'], values: [steps()]};
  },
  'a mask within a nested model': () => {
    const x = series();
    const outputs = through(x, dense('before'), nested(layers.reLU({name: 'cut'}), layers.masking({name: 'mask'}), recurrent('last')));
    return {inputs: [x], outputs, given: ['inner/mask', 'inner/cut'], values: [steps()]};
  },
};

/** @param {string} name */
function made(name) {
  const {inputs, outputs, given, values} = MODELS[name]();
  const model = build({inputs, outputs});
  const last = given.some((point) => point.startsWith('inner/')) ? 'inner/last' : 'last';
  const fed = new Map(inputs.map((symbolic, at) => [symbolic.sourceLayer.name, values[at]]));
  const right = /** @type {Tensor} */ (model.predict(values.length === 1 ? values[0] : values));
  return {points: new Points(model), last, given, fed, right};
}

describe('points of a model with a mask', () => {
  beforeAll(async () => {
    await setBackend('cpu');
  });

  it.each(Object.keys(MODELS))('are those of predict in the whole run: %s', (name) => {
    const {points, last, fed, right} = made(name);
    expect(points.run(fed, [last])[0].arraySync()).toEqual(right.arraySync());
  });

  it.each(Object.keys(MODELS))('are the same in isolation, where the layer has its mask: %s', (name) => {
    const {points, last, given, fed, right} = made(name);
    const operands = new Map(given.map((point) => [point, fed.get(point) ?? points.run(fed, [point])[0]]));
    const [alone] = points.run(operands, [last]);
    expect(alone.arraySync()).toEqual(right.arraySync());
    const unmasked = new Map([[given[0], /** @type {Tensor} */ (operands.get(given[0]))]]);
    expect(points.run(unmasked, [last])[0].arraySync()).not.toEqual(right.arraySync());
  });

  it.each([
    ['before', false],
    ['behind', true],
  ])('are those of predict if a layer without a mask runs %s one with a mask', (_, isBehind) => {
    const [x, y] = [words(), series()];
    const masked = through(x, table('table'), recurrent('masked'));
    const plain = through(y, dense('before'), recurrent('plain'));
    const outputs = through(isBehind ? [plain, masked] : [masked, plain], layers.concatenate({name: 'both'}));
    const model = build({inputs: [x, y], outputs});
    const right = /** @type {Tensor} */ (model.predict([ids(), steps()]));
    const points = new Points(model);
    const fed = new Map([['ids', ids()], ['steps', steps()]]);
    const whole = points.run(fed, ['table', 'before', 'masked', 'plain', 'both']);
    expect(whole[4].arraySync()).toEqual(right.arraySync());
    expect(points.run(fed, ['plain'])[0].arraySync()).toEqual(whole[3].arraySync());
    const [unmasked] = points.run(new Map([['before', whole[1]]]), ['plain']);
    if (isBehind) expect(whole[3].arraySync()).not.toEqual(unmasked.arraySync());
    else expect(whole[3].arraySync()).toEqual(unmasked.arraySync());
  });

  it('leave no tensor behind', () => {
    const {points, given, fed} = made('a mask of a computed value, outside of a nested model');
    const operands = new Map(given.map((point) => [point, points.run(fed, [point])[0]]));
    const before = memory().numTensors;
    engine().startScope('test');
    points.run(operands, ['inner/last']);
    engine().endScope();
    expect(memory().numTensors).toBe(before);
  });

  it('of many layers that merge are found in time', () => {
    const x = words();
    let value = through(x, table('table'));
    for (let at = 0; at < 26; at++) value = through([value, value], layers.maximum({name: `merge_${at}`}));
    const points = new Points(build({inputs: x, outputs: value}));
    const [alone] = points.run(new Map([['merge_24', points.run(new Map([['ids', ids()]]), ['merge_24'])[0]]]), ['merge_25']);
    expect(alone.shape).toEqual([SAMPLES, STEPS, SIZE]);
  });
});
