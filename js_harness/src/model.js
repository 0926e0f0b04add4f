// A layers or a graph model behind one interface: named tensors in, named tensors out, nothing left behind.

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
  /** @type {import('@tensorflow/tfjs-layers').LayersModel | null} what can be trained */
  layersModel = null;

  /**
   * @param {ReadonlyArray<TensorDescription>} inputs
   * @param {ReadonlyArray<TensorDescription>} outputs
   * @param {Run} run gives one tensor for each name of an output, in their order
   * @param {Run} runPoints the same for names of points inside, fed and fetched
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
   * Executes jobs between points inside, each of which may fail by itself.
   * @param {ReadonlyMap<string, NamedTensor>} given for all jobs
   * @param {readonly Job[]} jobs
   * @param {boolean} hold whether the outputs stay here, to be taken, instead of what stayed here before
   * @returns {Promise<{outputs: NamedTensor[], failed: JobFailure[]}>} outputs are named by the job's number too
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
          refused.set(name, error); // a backend without complex numbers, which only the jobs that read them need
        }
      }
      /** @type {NamedTensor[]} */
      const outputs = [];
      /** @type {Map<number, string>} */
      const failed = new Map();
      const told = (/** @type {number} */ job, /** @type {unknown} */ error) =>
        failed.set(job, error instanceof Error ? error.message : String(error));
      // Read when all have been started: a GPU that is waited for after every job stands idle in between.
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
   * @param {readonly string[]} names of outputs that stayed here
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
   * What a kernel computed lies on the GPU; a fed copy of it must too, or TensorFlow.js hands small ones to its CPU
   * kernels and another kernel is looked at. The model's own inputs come from the CPU in every run, and so do the
   * shapes that integers mostly are.
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
 * @param {Source} source the address of model.json, or what gives its content
 * @returns {Promise<Model>}
 */
export async function load(format, source) {
  return format === 'layers' ? loadLayers(source) : loadGraph(source);
}

/**
 * TensorFlow.js asks for all shards at once and reads none before all have answered. A browser has six connections to
 * a host, and one whose answer nobody reads, nor may be cached, stays taken: of seven large shards the last waits for ever.
 * @type {typeof fetch}
 */
async function fetchWhole(resource, options) {
  const response = await fetch(resource, options);
  return new Response(await response.arrayBuffer(), response);
}

/** Tensors are paired by position: tfjs-layers names them by layers, which is not what the artifact's user sees. */
async function loadLayers(/** @type {Source} */ source) {
  const {loadLayersModel} = await import('@tensorflow/tfjs-layers');
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
    // The whole batch in one step, since its size is Python's choice.
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

/** Tensors are paired by node name. */
async function loadGraph(/** @type {Source} */ source) {
  const {loadGraphModel} = await import('@tensorflow/tfjs-converter');
  const model = await loadGraphModel(source, {fetchFunc: fetchWhole});
  // The types of `inputs` say tensors; what is there is what the graph says of its placeholders.
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
        // TensorFlow.js says so, before it runs anything, of control flow and of shapes that depend on values.
        if (!(error instanceof Error && error.message.includes('executeAsync'))) throw error;
        dynamic = true;
      }
    }
    return {tensors: toArray(await model.executeAsync(inputs, [...outputs])), method: 'executeAsync'};
  };
  return new Model(model.inputs.map(describe), model.outputs.map(describe), run, async (named, fetches) => {
    // TensorFlow.js holds what is fed to the attributes of its node, which for a comparison say what it reads.
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
  if (wanted !== given) throw new Error(`the model has ${wanted} ${what}s and its artifact names ${given}`);
}

/**
 * A scope and not tf.tidy, which cannot span the awaits. One command runs at a time.
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
  if (!value) throw new Error(`input '${name}' did not come; those that came: ${[...given.keys()].join(', ')}`);
  return value;
}

/**
 * @param {string} name @param {ReadonlyMap<string, NamedTensor>} given
 * @param {(value: Tensor) => Tensor} [place] puts it where it is to lie, the parts of a complex tensor one by one
 * @returns {Tensor}
 */
function toTensor(name, given, place = (value) => value) {
  const {data, shape, dtype} = found(name, given);
  if (dtype !== 'complex64') return place(tensor(data, shape, dtype));
  const [real, imaginary] = [0, 1].map((part) => place(tensor(data.filter((_, at) => at % 2 === part), shape, 'float32')));
  return complex(real, imaginary);
}

/**
 * A tensor of its own, which outlives its scope: a layer that hands on what it reads gives the same one twice.
 * @param {string} name @param {Tensor | undefined} value
 */
function keepCopy(name, value) {
  if (!value) throw new Error(`the model gave no output '${name}'`);
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
 * Always data(), never dataSync(): under WebGPU the latter gives zeros without an error.
 * @param {string} name @param {Tensor | undefined} result @returns {Promise<NamedTensor>}
 */
async function read(name, result) {
  if (!result) throw new Error(`the model gave no output '${name}'`);
  const {shape} = result;
  const dtype = /** @type {import('./protocol.d.ts').Dtype} */ (result.dtype);
  if (!(dtype in ARRAYS)) {
    throw new Error(`output '${name}' has dtype ${dtype}, which is not compared`);
  }
  // A cast that loses nothing, bool to int32 or int32 to float32, may keep the array it came from.
  const given = /** @type {import('./safetensors.js').Data} */ (await result.data());
  const Type = ARRAYS[dtype];
  return {name, dtype, shape, data: given instanceof Type ? given : Type.from(given)};
}
