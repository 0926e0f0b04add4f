// One interface for layers and graph models: named tensors in, named tensors out, without leaked tensors.

import {backend, complex, engine, keep, tensor} from '@tensorflow/tfjs-core';

import {ARRAYS} from './safetensors.js';

/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */
/** @typedef {import('./safetensors.js').NamedTensor} NamedTensor */
/** @typedef {import('./protocol.d.ts').TensorDescription} TensorDescription */
/** @typedef {import('./protocol.d.ts').Predicted['method']} Method */
/** @typedef {import('./protocol.d.ts').Job} Job */
/** @typedef {import('./protocol.d.ts').JobFailure} JobFailure */
/** @typedef {string | import('@tensorflow/tfjs-core').io.IOHandler} Source */
/** @typedef {(named: Map<string, Tensor>, outputs: readonly string[]) => Promise<{tensors: Tensor[], method: Method}>} Run */

export class Model {
  #run;
  #runPoints;
  /** @type {Map<string, Tensor>} */
  #held = new Map();
  /** @type {import('@tensorflow/tfjs-layers').LayersModel | null} the model that can be trained */
  layersModel = null;

  /**
   * @param {ReadonlyArray<TensorDescription>} inputs
   * @param {ReadonlyArray<TensorDescription>} outputs
   * @param {Run} run returns one tensor for each name of an output, in their order
   * @param {Run} runPoints the same for points within the model, by the names of fed and fetched ones
   */
  constructor(inputs, outputs, run, runPoints = run) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.#run = run;
    this.#runPoints = runPoints;
  }

  /**
   * @param {ReadonlyMap<string, NamedTensor>} given
   * @param {readonly string[]} inputs names in the artifact's order
   * @param {readonly string[]} outputs names in the artifact's order
   * @returns {Promise<{outputs: NamedTensor[], method: Method}>}
   */
  async predict(given, inputs, outputs) {
    return scoped(async () => {
      const named = new Map(inputs.map((name) => [name, toTensor(name, given)]));
      const {tensors, method} = await this.#run(named, outputs);
      return {outputs: await readAll(outputs, tensors), method};
    });
  }

  /**
   * Executes jobs between points within the model; the failure of one does not affect the others.
   * @param {ReadonlyMap<string, NamedTensor>} given for all jobs
   * @param {readonly Job[]} jobs
   * @param {boolean} hold whether to keep the outputs here for `take`, instead of earlier ones
   * @returns {Promise<{outputs: NamedTensor[], failed: JobFailure[]}>} names of outputs include the number of the job
   */
  async run(given, jobs, hold) {
    if (hold) this.#release();
    return scoped(async () => {
      /** @type {Map<string, Tensor>} */
      const known = new Map();
      /** @type {Map<string, unknown>} */
      const refused = new Map();
      for (const name of given.keys()) {
        try {
          known.set(name, toTensor(name, given, (value) => this.#place(name, value)));
        } catch (error) {
          refused.set(name, error); // a backend may lack complex numbers, which only some jobs read
        }
      }
      /** @type {NamedTensor[]} */
      const outputs = [];
      /** @type {Map<number, string>} */
      const failed = new Map();
      const told = (/** @type {number} */ job, /** @type {unknown} */ error) =>
        failed.set(job, error instanceof Error ? error.message : String(error));
      // Outputs are read after all jobs have started, because waiting after every job would leave a GPU idle.
      /** @type {Map<number, Tensor[]>} */
      const computed = new Map();
      for (const [number, job] of jobs.entries()) {
        try {
          await scoped(async () => {
            for (const name of job.inputs) if (refused.has(name)) throw refused.get(name);
            const fed = new Map(job.inputs.map((name) => [name, found(name, known)]));
            const {tensors} = await this.#runPoints(fed, job.outputs);
            if (hold) job.outputs.forEach((name, index) => this.#hold(name, tensors[index]));
            else computed.set(number, job.outputs.map((name, index) => keepCopy(name, tensors[index])));
          });
        } catch (error) {
          told(number, error);
        }
      }
      const reading = [...computed].map(async ([number, tensors]) => {
        try {
          outputs.push(...(await readAll(jobs[number].outputs, tensors, `${number}/`)));
        } catch (error) {
          told(number, error);
        } finally {
          tensors.forEach((value) => value.dispose());
        }
      });
      await Promise.all(reading);
      return {outputs, failed: [...failed].map(([job, message]) => ({job, message}))};
    });
  }

  /**
   * @param {readonly string[]} names of outputs that `run` kept
   * @returns {Promise<NamedTensor[]>}
   */
  async take(names) {
    const taken = names.map((name) => found(name, this.#held));
    const outputs = await readAll(names, taken);
    taken.forEach((value) => value.dispose());
    names.forEach((name) => this.#held.delete(name));
    return outputs;
  }

  /** @param {string} name @param {Tensor} value */
  #hold(name, value) {
    if (!this.#held.has(name)) this.#held.set(name, keepCopy(name, value));
  }

  #release() {
    this.#held.forEach((value) => value.dispose());
    this.#held.clear();
  }

  /**
   * Moves a fed copy of a kernel's result to the GPU, where the result is in a whole run. Otherwise TensorFlow.js would
   * run small tensors on its CPU kernels, and a different kernel would be measured. The model's own inputs are on the
   * CPU in every run, and so are integers, which are usually shapes.
   * @param {string} name @param {Tensor} value @returns {Tensor}
   */
  #place(name, value) {
    if (value.dtype !== 'float32' || value.size === 0 || this.inputs.some((input) => input.name === name)) return value;
    const active = backend();
    if ('uploadToGPU' in active && typeof active.uploadToGPU === 'function') active.uploadToGPU(value.dataId);
    return value;
  }
}

/**
 * @param {'layers' | 'graph'} format
 * @param {Source} source the address of model.json, or a handler that returns its content
 * @returns {Promise<Model>}
 */
export async function load(format, source) {
  return format === 'layers' ? loadLayers(source) : loadGraph(source);
}

/**
 * Fetches a whole file. TensorFlow.js requests all shards at once and reads none before all have answered. A browser has
 * six connections to a host, and one whose answer is not read and not cached stays in use: of seven large shards, the
 * last would wait forever.
 * @type {typeof fetch}
 */
async function fetchWhole(resource, options) {
  const response = await fetch(resource, options);
  return new Response(await response.arrayBuffer(), response);
}

/** Loads a layers model. Tensors are paired by position, because tfjs-layers names them by layers. */
async function loadLayers(/** @type {Source} */ source) {
  const {loadLayersModel} = await import('@tensorflow/tfjs-layers');
  // An orthogonal initializer calls methods of tensors, such as flatten(), which only the package @tensorflow/tfjs adds.
  await import('@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops');
  const {Points} = await import('./points.js');
  const model = await loadLayersModel(source, {fetchFunc: fetchWhole});
  /** @type {import('./points.js').Points | undefined} */
  let points;
  const describe = (/** @type {import('@tensorflow/tfjs-layers').SymbolicTensor} */ {name, dtype, shape}) => ({
    name,
    dtype: dtype ?? null,
    shape,
  });
  /** @type {Run} */
  const predict = async (named, outputs) => {
    expectCount('input', model.inputs.length, named.size);
    expectCount('output', model.outputs.length, outputs.length);
    const tensors = [...named.values()];
    // The whole batch runs in one step, because Python chooses its size.
    const result = model.predict(tensors.length === 1 ? tensors[0] : tensors, {batchSize: tensors[0].shape[0] || 1});
    return {tensors: Array.isArray(result) ? result : [result], method: 'predict'};
  };
  const result = new Model(model.inputs.map(describe), model.outputs.map(describe), predict, async (named, fetches) => {
    points ??= new Points(model);
    return {tensors: points.run(named, fetches), method: 'predict'};
  });
  result.layersModel = model;
  return result;
}

/** Loads a graph model. Tensors are paired by node name. */
async function loadGraph(/** @type {Source} */ source) {
  const {loadGraphModel} = await import('@tensorflow/tfjs-converter');
  const model = await loadGraphModel(source, {fetchFunc: fetchWhole});
  // By their types `inputs` are tensors; in fact they are descriptions of the graph's placeholders.
  const describe = (/** @type {unknown} */ node) => {
    const {name, dtype, shape} = /** @type {{name: string, dtype?: string, shape?: number[]}} */ (node);
    const open = shape ? shape.map((dimension) => (dimension === -1 ? null : dimension)) : null;
    return {name, dtype: dtype ?? null, shape: open};
  };
  let dynamic = false;
  /** @type {Run} */
  const run = async (named, outputs) => {
    const inputs = Object.fromEntries(named);
    if (!dynamic) {
      try {
        return {tensors: toArray(model.execute(inputs, [...outputs])), method: 'execute'};
      } catch (error) {
        // For control flow and shapes that depend on values, TensorFlow.js throws this before it runs any node.
        if (!(error instanceof Error && error.message.includes('executeAsync'))) throw error;
        dynamic = true;
      }
    }
    return {tensors: toArray(await model.executeAsync(inputs, [...outputs])), method: 'executeAsync'};
  };
  return new Model(model.inputs.map(describe), model.outputs.map(describe), run, async (named, fetches) => {
    // TensorFlow.js checks fed values against the node's attributes, which for a comparison describe its inputs instead.
    const {executor} = /** @type {{executor: {checkInputShapeAndType?: () => void}}} */ (/** @type {unknown} */ (model));
    executor.checkInputShapeAndType = () => {};
    try {
      return await run(named, fetches);
    } finally {
      delete executor.checkInputShapeAndType;
    }
  });
}

/** @param {Tensor | Tensor[]} result @returns {Tensor[]} */
function toArray(result) {
  return Array.isArray(result) ? result : [result];
}

/** @param {string} what @param {number} wanted @param {number} given */
function expectCount(what, wanted, given) {
  if (wanted !== given) throw new Error(`the model has ${wanted} ${what}s but its artifact names ${given}`);
}

/**
 * Disposes the tensors of some work. tf.tidy cannot span awaits, so this uses a scope; one command runs at a time.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
async function scoped(work) {
  engine().startScope('pycheck');
  try {
    return await work();
  } finally {
    engine().endScope();
  }
}

/** @template T @param {string} name @param {ReadonlyMap<string, T>} given @returns {T} */
function found(name, given) {
  const value = given.get(name);
  if (!value) throw new Error(`input '${name}' is missing; received: ${[...given.keys()].join(', ')}`);
  return value;
}

/**
 * @param {string} name @param {ReadonlyMap<string, NamedTensor>} given
 * @param {(value: Tensor) => Tensor} [place] moves the tensor to its place, or each part of a complex tensor
 * @returns {Tensor}
 */
export function toTensor(name, given, place = (value) => value) {
  const {data, shape, dtype} = found(name, given);
  if (dtype !== 'complex64') return place(tensor(data, shape, dtype));
  const [real, imaginary] = [0, 1].map((part) => place(tensor(data.filter((_, at) => at % 2 === part), shape, 'float32')));
  return complex(real, imaginary);
}

/**
 * Copies a tensor, so that it outlives its scope: a layer that returns its input gives the same tensor twice.
 * @param {string} name @param {Tensor | undefined} value
 */
function keepCopy(name, value) {
  if (!value) throw new Error(`the model returned no output '${name}'`);
  return keep(value.clone());
}

/** @param {readonly string[]} names @param {readonly Tensor[]} tensors @param {string} [prefix] */
function readAll(names, tensors, prefix = '') {
  return Promise.all(names.map(async (name, index) => {
    const value = await read(name, tensors[index]);
    return {...value, name: prefix + name};
  }));
}

/**
 * Reads a tensor with data(), because dataSync() returns zeros on WebGPU without an error.
 * @param {string} name @param {Tensor | undefined} result @returns {Promise<NamedTensor>}
 */
export async function read(name, result) {
  if (!result) throw new Error(`the model returned no output '${name}'`);
  const {shape} = result;
  const dtype = /** @type {import('./protocol.d.ts').Dtype} */ (result.dtype);
  if (!(dtype in ARRAYS)) {
    throw new Error(`output '${name}' has dtype ${dtype}, which pycheck does not compare`);
  }
  // A lossless cast, bool to int32 or int32 to float32, may keep the array of its input.
  const given = /** @type {import('./safetensors.js').Data} */ (await result.data());
  const Type = ARRAYS[dtype];
  return {name, dtype, shape, data: given instanceof Type ? given : Type.from(given)};
}
