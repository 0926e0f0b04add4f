// Executes the commands with LiteRT.js instead of TensorFlow.js: one accelerator and one .tflite file.

import {getWebGpuDevice, loadAndCompile, loadLiteRt, supportsFeature, Tensor} from '@litertjs/core';

import {Failure} from './failure.js';
import {probe} from './litert_probe.js';
import {Watch} from './litert_watch.js';
import {download, upload} from './transfer.js';
import {describeDevice, requireWebGPU} from './webgpu.js';

/** @typedef {import('@litertjs/core').CompiledModel} Compiled */
/** @typedef {ReturnType<Compiled['getInputDetails']>[number]} Details */
/** @typedef {import('./safetensors.js').NamedTensor} NamedTensor */
/** @typedef {import('./safetensors.js').Data} Data */

/** The types that LiteRT.js reads and writes. Bytes travel as int32. */
const ARRAYS = {float32: Float32Array, int32: Int32Array, uint8: Uint8Array};
const ACCELERATORS = /** @type {const} */ ({'litert-wasm': 'wasm', 'litert-webgpu': 'webgpu'});

export class LitertEngine {
  /** @type {'wasm' | 'webgpu'} */
  #accelerator = 'wasm';
  /** @type {Compiled | undefined} */
  #model;
  #mayUseCpu = false;
  #check = () => {};
  #report;
  #watch = new Watch();

  /** @param {import('./webgpu.js').Report} report receives failures outside of commands */
  constructor(report) {
    this.#report = report;
  }

  /**
   * @param {import('./protocol.d.ts').Start} command
   * @returns {Promise<import('./protocol.d.ts').Started>}
   */
  async start({id, backend}) {
    const accelerator = ACCELERATORS[/** @type {keyof typeof ACCELERATORS} */ (backend)];
    if (accelerator === 'webgpu') await requireWebGPU();
    // Without JSPI, LiteRT.js cannot run some operations on the GPU and others on the CPU: in a browser that has JSPI it
    // then fails, and otherwise it moves the whole model to the CPU. Only its WebGPU code uses JSPI.
    const jspi = accelerator === 'webgpu' && await supportsFeature('jspi') && await supportsFeature('relaxedSimd');
    const library = await loadLiteRt(new URL('./', import.meta.url).href, {jspi});
    this.#accelerator = accelerator;
    /** @type {{renderer: string | null, software: boolean | null}} */
    let gpu = {renderer: null, software: null};
    if (accelerator === 'webgpu') {
      const device = getWebGpuDevice();
      if (!device) throw new Failure('unavailable', 'LiteRT.js found no WebGPU device');
      const {check, ...known} = await describeDevice(device, this.#report);
      [this.#check, gpu] = [check, known];
    }
    const probes = await probe((file) => this.#compile(file));
    this.#check();
    return {
      type: 'started',
      id,
      library: `litert ${LITERT_VERSION}`,
      backend,
      renderer: gpu.renderer,
      software_renderer: gpu.software,
      epsilon: null,
      flags: {},
      flags_default: {},
      flags_unknown: [],
      wasm_threads: library.liteRtWasm.getThreadCount(),
      wasm_simd: await supportsFeature('relaxedSimd') ? 'with relaxed SIMD' : 'without relaxed SIMD',
      probes,
      notes: accelerator === 'webgpu' ? [jspi ? 'LiteRT.js with JSPI' : 'LiteRT.js without JSPI'] : [],
    };
  }

  /**
   * @param {import('./protocol.d.ts').Load} command
   * @returns {Promise<import('./protocol.d.ts').Loaded>}
   */
  async load({id, url, may_use_cpu}) {
    this.#mayUseCpu = may_use_cpu ?? false;
    this.#model?.delete();
    this.#model = undefined;
    const response = await fetch(url);
    if (!response.ok) throw new Failure('load', `the file could not be fetched: HTTP status ${response.status}`);
    this.#watch.reset();
    this.#model = await this.#checked(this.#compile(new Uint8Array(await response.arrayBuffer())));
    const {operations, onGpu, onCpu} = this.#watch.left;
    if (this.#accelerator === 'webgpu' && onCpu && !onGpu && !this.#mayUseCpu) {
      throw new Failure('fallback', `LiteRT.js runs no operation of this model on the GPU: ${operations.join('; ')}`);
    }
    const describe = (/** @type {Details} */ {name, dtype, shape}) => ({name, dtype, shape: [...shape]});
    return {
      type: 'loaded',
      id,
      inputs: this.#model.getInputDetails().map(describe),
      outputs: this.#model.getOutputDetails().map(describe),
      tensor_count: 0,
      on_gpu: onGpu,
      on_cpu: onCpu,
      left_to_cpu: operations,
    };
  }

  /**
   * Runs the model once for each part of the batch that has the fixed number of samples of the file.
   * @param {import('./protocol.d.ts').Predict} command
   * @returns {Promise<import('./protocol.d.ts').Predicted>}
   */
  async predict(command) {
    if (!this.#model) throw new Failure('predict', 'no model has been loaded');
    const start = performance.now();
    const given = await download(command.inputs_url);
    const downloaded = performance.now();
    this.#watch.dispatches = 0;
    const outputs = await this.#checked(run(this.#model, given, command.outputs));
    const ranOnCpu = this.#accelerator === 'webgpu' && !this.#watch.dispatches;
    if (ranOnCpu && !this.#mayUseCpu) {
      throw new Failure('fallback', 'LiteRT.js ran this model on the CPU although WebGPU was requested');
    }
    const computed = performance.now();
    await upload(command.outputs_url, outputs, command.upload_streams);
    return {
      type: 'predicted',
      id: command.id,
      method: 'run',
      cpu_kernels: [],
      ran_on_cpu: ranOnCpu,
      download_s: (downloaded - start) / 1000,
      compute_s: (computed - downloaded) / 1000,
      upload_s: (performance.now() - computed) / 1000,
      tensor_count: 0,
    };
  }

  /**
   * @param {import('./protocol.d.ts').Prepare} command
   * @returns {Promise<import('./protocol.d.ts').Prepared>}
   */
  async prepare(command) {
    const {prepare} = await import('./prepare.js');
    return this.#checked(prepare(command));
  }

  /**
   * LiteRT.js falls back to WebAssembly, or computes nothing, with a line on the console; that is an error here.
   * @param {Uint8Array} file
   */
  async #compile(file) {
    const model = await loadAndCompile(file, {accelerator: this.#accelerator}).catch((error) => {
      throw this.#watch.explained(error);
    });
    if (this.#watch.failure) {
      model.delete();
      throw new Failure('load', this.#watch.failure);
    }
    const {accelerator} = model.options;
    if (accelerator !== this.#accelerator && !this.#mayUseCpu) {
      model.delete();
      throw new Failure('fallback', `LiteRT.js runs this model on ${accelerator} instead of ${this.#accelerator}`);
    }
    return model;
  }

  /**
   * Returns the result of the work, unless the GPU has failed; that failure replaces any error of the work.
   * @template T @param {Promise<T>} work @returns {Promise<T>}
   */
  async #checked(work) {
    try {
      return await work;
    } finally {
      this.#check();
    }
  }
}

/**
 * @param {Compiled} model @param {ReadonlyMap<string, NamedTensor>} given @param {readonly string[]} wanted
 * @returns {Promise<NamedTensor[]>}
 */
async function run(model, given, wanted) {
  const details = model.getInputDetails();
  const count = partCount(details, given);
  /** @type {Map<string, {shape: number[], parts: Data[]}>} */
  const results = new Map();
  for (let part = 0; part < count; part++) {
    const inputs = Object.fromEntries(details.map((detail) => [detail.name, take(detail, given, part)]));
    const outputs = await model.run(inputs);
    for (const tensor of Object.values(inputs)) tensor.delete();
    for (const [name, tensor] of Object.entries(outputs)) {
      const known = results.get(name) ?? {shape: [...tensor.type.layout.dimensions], parts: []};
      known.parts.push(/** @type {Data} */ (await tensor.data()));
      results.set(name, known);
      tensor.delete();
    }
  }
  return wanted.map((name) => {
    const result = results.get(name);
    if (!result) throw new Error(`the model returned no output '${name}'; it has ${[...results.keys()].join(', ')}`);
    const [rows, ...rest] = result.shape;
    return {name, ...joined(result.parts), shape: count === 1 ? result.shape : [rows * count, ...rest]};
  });
}

/** @param {readonly Details[]} details @param {ReadonlyMap<string, NamedTensor>} given */
function partCount(details, given) {
  let count = 1;
  for (const {name, shape} of details) {
    const {shape: whole} = found(name, given);
    const own = [...shape];
    if (whole.length === own.length && whole.every((size, axis) => size === own[axis])) continue;
    const fits = whole.length === own.length && whole.slice(1).every((size, axis) => size === own[axis + 1]);
    if (!fits || whole[0] % own[0]) throw new Error(`input '${name}' has shape [${whole}], the file takes [${own}]`);
    count = whole[0] / own[0];
  }
  return count;
}

/** @param {Details} detail @param {ReadonlyMap<string, NamedTensor>} given @param {number} part */
function take({name, dtype, shape}, given, part) {
  const {data} = found(name, given);
  if (dtype === 'float32' && data instanceof Int32Array) dtype = 'int32';
  const size = [...shape].reduce((product, dimension) => product * dimension, 1);
  const start = data.length > size ? part * size : 0;
  const Type = ARRAYS[/** @type {keyof typeof ARRAYS} */ (dtype)];
  return new Tensor(Type.from(data.subarray(start, start + size)), [...shape]);
}

/** @param {string} name @param {ReadonlyMap<string, NamedTensor>} given */
function found(name, given) {
  const value = given.get(name);
  if (!value) throw new Error(`input '${name}' is missing; received: ${[...given.keys()].join(', ')}`);
  return value;
}

/** @param {Data[]} parts @returns {{dtype: 'float32' | 'int32', data: Float32Array | Int32Array}} */
function joined(parts) {
  const size = parts.reduce((total, part) => total + part.length, 0);
  const isFloat = parts[0] instanceof Float32Array;
  const data = isFloat ? new Float32Array(size) : new Int32Array(size);
  let offset = 0;
  for (const part of parts) {
    data.set(part, offset);
    offset += part.length;
  }
  return {dtype: isFloat ? 'float32' : 'int32', data};
}
