import '@tensorflow/tfjs-backend-cpu';

import {memory, setBackend, tensor1d} from '@tensorflow/tfjs-core';
import {beforeAll, describe, expect, it} from 'vitest';

import {load} from '../src/model.js';

const attributes = (/** @type {string} */ dtype, /** @type {number[]} */ shape) => ({
  dtype: {type: dtype},
  shape: {shape: {dim: shape.map((size) => ({size: String(size)}))}},
});

/** @param {object[]} node @param {string[]} inputs @param {string[]} outputs */
function graph(node, inputs, outputs) {
  const names = (/** @type {string[]} */ list) => Object.fromEntries(list.map((name) => [name, {name}]));
  return source({
    modelTopology: {node, versions: {producer: 1, minConsumer: 1}},
    signature: {inputs: names(inputs), outputs: names(outputs)},
  });
}

/** @param {object} artifacts */
function source(artifacts) {
  return /** @type {any} */ ({load: async () => ({weightSpecs: [], weightData: new ArrayBuffer(0), ...artifacts})});
}

/** @param {Record<string, {dtype: string, shape: number[], data: any}>} named */
function given(named) {
  return /** @type {any} */ (new Map(Object.entries(named).map(([name, rest]) => [name, {name, ...rest}])));
}

const float32 = (/** @type {number[]} */ ...values) => Float32Array.from(values);

const SUM = graph(
  [
    {name: 'a', op: 'Placeholder', attr: attributes('DT_FLOAT', [-1])},
    {name: 'b', op: 'Placeholder', attr: attributes('DT_FLOAT', [-1])},
    {name: 'difference', op: 'Sub', input: ['a', 'b']},
    {name: 'larger', op: 'Greater', input: ['a', 'b']},
  ],
  ['a', 'b'],
  ['difference', 'larger'],
);

/** x -> 2x + 1, as a layers model. */
function layers() {
  const config = {name: 'd', units: 1, activation: 'linear', batch_input_shape: [null, 1]};
  return source({
    modelTopology: {class_name: 'Sequential', config: {name: 'm', layers: [{class_name: 'Dense', config}]}},
    weightSpecs: [
      {name: 'd/kernel', shape: [1, 1], dtype: 'float32'},
      {name: 'd/bias', shape: [1], dtype: 'float32'},
    ],
    weightData: float32(2, 1).buffer,
  });
}

describe('a model', () => {
  beforeAll(async () => {
    await setBackend('cpu');
  });

  it('gives the array that the dtype of an output promises, also behind a cast', async () => {
    const cast = graph(
      [
        {name: 'a', op: 'Placeholder', attr: attributes('DT_INT32', [-1])},
        {name: 'real', op: 'Cast', input: ['a'], attr: {SrcT: {type: 'DT_INT32'}, DstT: {type: 'DT_FLOAT'}}},
      ],
      ['a'],
      ['real'],
    );
    const model = await load('graph', cast);
    const values = {a: {dtype: 'int32', shape: [2], data: Int32Array.of(1, -7)}};
    const {outputs} = await model.predict(given(values), ['a'], ['real']);
    expect(outputs[0].dtype).toBe('float32');
    expect(outputs[0].data).toEqual(float32(1, -7));
  });

  it('of a graph pairs tensors by node name, whatever their order', async () => {
    const model = await load('graph', SUM);
    const inputs = given({
      b: {dtype: 'float32', shape: [2], data: float32(1, 5)},
      a: {dtype: 'float32', shape: [2], data: float32(3, 4)},
    });
    const {outputs, method} = await model.predict(inputs, ['b', 'a'], ['larger', 'difference']);
    expect(method).toBe('execute');
    expect(outputs).toEqual([
      {name: 'larger', dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0)},
      {name: 'difference', dtype: 'float32', shape: [2], data: float32(2, -1)},
    ]);
  });

  it('of a graph describes its inputs', async () => {
    const model = await load('graph', SUM);
    expect(model.inputs).toEqual([
      {name: 'a', dtype: 'float32', shape: [null]},
      {name: 'b', dtype: 'float32', shape: [null]},
    ]);
  });

  it('of layers pairs tensors by position and takes the whole batch at once', async () => {
    const model = await load('layers', layers());
    const data = Float32Array.from({length: 100}, (_, i) => i);
    const {outputs, method} = await model.predict(
      given({in: {dtype: 'float32', shape: [100, 1], data}}), ['in'], ['out']);
    expect(method).toBe('predict');
    expect(outputs[0].name).toBe('out');
    expect(outputs[0].data).toEqual(data.map((x) => 2 * x + 1));
  });

  it('of layers refuses another number of outputs than it has', async () => {
    const model = await load('layers', layers());
    const inputs = given({in: {dtype: 'float32', shape: [1, 1], data: float32(1)}});
    await expect(model.predict(inputs, ['in'], ['out', 'more'])).rejects.toThrow('1 outputs but its artifact names 2');
  });

  it('keeps int32 and bool as they are', async () => {
    const model = await load(
      'graph',
      graph(
        [
          {name: 'n', op: 'Placeholder', attr: attributes('DT_INT32', [-1])},
          {name: 'mask', op: 'Placeholder', attr: attributes('DT_BOOL', [-1])},
          {name: 'not', op: 'LogicalNot', input: ['mask']},
          {name: 'twice', op: 'AddV2', input: ['n', 'n']},
        ],
        ['n', 'mask'],
        ['not', 'twice'],
      ),
    );
    const inputs = given({
      n: {dtype: 'int32', shape: [2], data: Int32Array.of(16777217, -3)},
      mask: {dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0)},
    });
    const {outputs} = await model.predict(inputs, ['n', 'mask'], ['not', 'twice']);
    expect(outputs).toEqual([
      {name: 'not', dtype: 'bool', shape: [2], data: Uint8Array.of(0, 1)},
      {name: 'twice', dtype: 'int32', shape: [2], data: Int32Array.of(33554434, -6)},
    ]);
  });

  it('whose output shape depends on values is executed asynchronously, the second time at once', async () => {
    const model = await load(
      'graph',
      graph(
        [
          {name: 'mask', op: 'Placeholder', attr: attributes('DT_BOOL', [-1])},
          {name: 'where', op: 'Where', input: ['mask']},
        ],
        ['mask'],
        ['where'],
      ),
    );
    for (let batch = 0; batch < 2; batch++) {
      const inputs = given({mask: {dtype: 'bool', shape: [4], data: Uint8Array.of(0, 1, 0, 1)}});
      const {outputs, method} = await model.predict(inputs, ['mask'], ['where']);
      expect(method).toBe('executeAsync');
      expect(outputs[0]).toMatchObject({dtype: 'int32', shape: [2, 1], data: Int32Array.of(1, 3)});
    }
  });

  it('leaves no tensor behind, neither after a prediction nor after a failure', async () => {
    const model = await load('graph', SUM);
    const before = memory().numTensors;
    const inputs = given({
      a: {dtype: 'float32', shape: [2], data: float32(1, 2)},
      b: {dtype: 'float32', shape: [2], data: float32(1, 2)},
    });
    await model.predict(inputs, ['a', 'b'], ['difference']);
    await expect(model.predict(inputs, ['a', 'b'], ['nowhere'])).rejects.toThrow('nowhere');
    await expect(model.predict(given({}), ['a', 'b'], ['difference'])).rejects.toThrow("input 'a' is missing");
    expect(memory().numTensors).toBe(before);
  });

  describe('run between points', () => {
    const chain = () =>
      load(
        'graph',
        graph(
          [
            {name: 'a', op: 'Placeholder', attr: attributes('DT_FLOAT', [-1])},
            {name: 'root', op: 'Sqrt', input: ['a']},
            {name: 'same', op: 'Identity', input: ['root']},
            {name: 'less', op: 'Neg', input: ['same']},
          ],
          ['a'],
          ['less'],
        ),
      );
    const values = () =>
      given({
        a: {dtype: 'float32', shape: [2], data: float32(4, 9)},
        root: {dtype: 'float32', shape: [2], data: float32(20, 30)},
      });

    it('gives every job its own values, and says which one failed and why', async () => {
      const model = await chain();
      const jobs = [
        {inputs: ['a'], outputs: ['root', 'less']},
        {inputs: ['root'], outputs: ['nowhere']},
        {inputs: ['elsewhere'], outputs: ['root']},
        {inputs: ['root'], outputs: ['less']},
      ];
      const {outputs, failed} = await model.run(values(), jobs, false);
      expect(outputs.map(({name, data}) => [name, ...data])).toEqual([
        ['0/root', 2, 3],
        ['0/less', -2, -3],
        ['3/less', -20, -30],
      ]);
      expect(failed.map(({job}) => job)).toEqual([1, 2]);
      expect(failed[0].message).toContain('nowhere');
      expect(failed[1].message).toContain("input 'elsewhere' is missing");
    });

    it('holds values until they are taken, each once, and leaves nothing behind', async () => {
      const model = await chain();
      const before = memory().numTensors;
      const whole = [{inputs: ['a'], outputs: ['root', 'same', 'less']}];
      expect(await model.run(values(), whole, true)).toEqual({outputs: [], failed: []});
      const taken = await model.take(['root', 'less']);
      expect(taken.map(({name, data}) => [name, ...data])).toEqual([['root', 2, 3], ['less', -2, -3]]);
      expect((await model.take(['same']))[0].data).toEqual(float32(2, 3));
      await expect(model.take(['root'])).rejects.toThrow("'root' is missing");
      await model.run(values(), whole, true);
      await model.run(values(), [], true);
      expect(memory().numTensors).toBe(before);
    });
  });

  it('leaves alone the tensors that others hold', async () => {
    const held = tensor1d([1, 2]);
    const model = await load('layers', layers());
    await model.predict(given({in: {dtype: 'float32', shape: [1, 1], data: float32(1)}}), ['in'], ['out']);
    expect(held.isDisposed).toBe(false);
    held.dispose();
  });
});
