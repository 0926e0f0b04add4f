// Executes the commands on one backend and one model. This module is loaded after the first command has arrived.

import * as core from '@tensorflow/tfjs-core';

import {BACKENDS} from './backends.js';
import {CpuKernels} from './cpu_kernels.js';
import {Failure} from './failure.js';
import * as flags from './flags.js';
import {load} from './model.js';
import {probe} from './probes.js';
import {download, upload} from './transfer.js';

/** @typedef {import('./backends.js').Description} Description */
/** @typedef {import('./model.js').Model} Model */

const INSECURE = 'opened over http from a different machine: not a secure context, so browsers have no WebGPU';

export class Engine {
  /** @type {Description | undefined} */
  #backend;
  /** @type {Model | undefined} */
  #model;
  #cpuKernels = new CpuKernels();
  /** @type {import('./train.js').Training | undefined} */
  #training;
  #report;

  /** @param {import('./backends.js').Report} report receives failures outside of commands */
  constructor(report) {
    this.#report = report;
  }

  /**
   * @param {import('./protocol.d.ts').Start} command
   * @returns {Promise<import('./protocol.d.ts').Started>}
   */
  async start({id, backend, flags: asked}) {
    const {prepare, load: importBackend, describe} = BACKENDS[/** @type {keyof typeof BACKENDS} */ (backend)];
    flags.setBeforeImport({...(await prepare()), ...asked});
    // Converter and layers register their own flags, so they are imported after the flags are set.
    await Promise.all([importBackend(), import('@tensorflow/tfjs-converter')]);
    const unknown = flags.checkAfterImport(asked);
    await activate(backend);
    this.#backend = await describe(this.#report);
    const probes = await probe();
    this.#backend.check();
    const {inForce, byDefault} = await flags.readBack();
    return {
      type: 'started',
      id,
      library: `tfjs ${core.version_core}`,
      backend: core.getBackend(),
      renderer: this.#backend.renderer,
      software_renderer: this.#backend.software,
      epsilon: core.backend().epsilon(),
      flags: inForce,
      flags_default: byDefault,
      flags_unknown: unknown,
      wasm_threads: this.#backend.wasmThreads,
      wasm_simd: inForce.WASM_HAS_SIMD_SUPPORT ? 'with SIMD' : 'without SIMD',
      probes,
      notes: isSecureContext ? this.#backend.notes : [...this.#backend.notes, INSECURE],
    };
  }

  /**
   * @param {import('./protocol.d.ts').Load} command
   * @returns {Promise<import('./protocol.d.ts').Loaded>}
   */
  async load({id, format, url, cpu_kernels}) {
    this.#training?.dispose(true);
    this.#training = undefined;
    this.#model?.layersModel?.dispose();
    await this.#cpuKernels.move(cpu_kernels);
    this.#model = await this.#checked(load(/** @type {'layers' | 'graph'} */ (format), url));
    const {inputs, outputs} = this.#model;
    const tensor_count = core.memory().numTensors;
    return {type: 'loaded', id, inputs, outputs, tensor_count, on_gpu: 0, on_cpu: 0, left_to_cpu: []};
  }

  /**
   * @param {import('./protocol.d.ts').Predict} command
   * @returns {Promise<import('./protocol.d.ts').Predicted>}
   */
  async predict(command) {
    const model = this.#loaded();
    const start = performance.now();
    const inputs = await download(command.inputs_url);
    const downloaded = performance.now();
    const {outputs, method} = await this.#checked(model.predict(inputs, command.inputs, command.outputs));
    const computed = performance.now();
    await upload(command.outputs_url, outputs, command.upload_streams);
    return {
      type: 'predicted',
      id: command.id,
      method,
      cpu_kernels: this.#cpuKernels.used,
      ran_on_cpu: false,
      download_s: (downloaded - start) / 1000,
      compute_s: (computed - downloaded) / 1000,
      upload_s: (performance.now() - computed) / 1000,
      tensor_count: core.memory().numTensors,
    };
  }

  /**
   * @param {import('./protocol.d.ts').Run} command
   * @returns {Promise<import('./protocol.d.ts').Ran>}
   */
  async run({id, jobs, inputs_url, outputs_url, upload_streams}) {
    const model = this.#loaded();
    const start = performance.now();
    const inputs = await download(inputs_url);
    const downloaded = performance.now();
    const {outputs, failed} = await this.#checked(model.run(inputs, jobs, outputs_url === null));
    const computed = performance.now();
    if (outputs_url !== null) await upload(outputs_url, outputs, upload_streams);
    return {
      type: 'ran',
      id,
      failed,
      download_s: (downloaded - start) / 1000,
      compute_s: (computed - downloaded) / 1000,
      upload_s: (performance.now() - computed) / 1000,
      tensor_count: core.memory().numTensors,
    };
  }

  /**
   * @param {import('./protocol.d.ts').Take} command
   * @returns {Promise<import('./protocol.d.ts').Ran>}
   */
  async take({id, names, outputs_url, upload_streams}) {
    const start = performance.now();
    const outputs = await this.#checked(this.#loaded().take(names));
    const read = performance.now();
    await upload(outputs_url, outputs, upload_streams);
    return {
      type: 'ran',
      id,
      failed: [],
      download_s: 0,
      compute_s: (read - start) / 1000,
      upload_s: (performance.now() - read) / 1000,
      tensor_count: core.memory().numTensors,
    };
  }

  /**
   * @param {import('./protocol.d.ts').Compile} command
   * @returns {Promise<import('./protocol.d.ts').Compiled>}
   */
  async compile(command) {
    const model = this.#loaded().layersModel;
    if (!model) throw new Failure('train', 'a graph model cannot be trained: its weights are constants');
    const {Training} = await import('./train.js');
    this.#training?.dispose();
    this.#training = new Training(model, command, await download(command.inputs_url));
    const {variables, trainableCount} = this.#training;
    await upload(command.outputs_url, await this.#checked(this.#training.initialWeights()), command.upload_streams);
    return {type: 'compiled', id: command.id, variables, trainable_count: trainableCount};
  }

  /**
   * @param {import('./protocol.d.ts').Train} command
   * @returns {Promise<import('./protocol.d.ts').Trained>}
   */
  async train({id, first_step, step_count, observe, outputs_url, upload_streams}) {
    if (!this.#training) throw new Failure('train', 'no training has been compiled');
    const start = performance.now();
    const {outputs, layers} = await this.#checked(this.#training.run(first_step, step_count, observe));
    const computed = performance.now();
    await upload(outputs_url, outputs, upload_streams);
    return {
      type: 'trained',
      id,
      layers,
      compute_s: (computed - start) / 1000,
      upload_s: (performance.now() - computed) / 1000,
      tensor_count: core.memory().numTensors,
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

  #loaded() {
    if (!this.#model) throw new Failure('predict', 'no model has been loaded');
    return this.#model;
  }

  /**
   * Returns the result of the work, unless the GPU has failed; that failure replaces any error of the work.
   * @template T
   * @param {Promise<T>} work
   * @returns {Promise<T>}
   */
  async #checked(work) {
    try {
      return await work;
    } finally {
      this.#backend?.check();
    }
  }
}

/** @param {string} backend */
async function activate(backend) {
  // TensorFlow.js reports the reason why a backend does not start only on the console.
  /** @type {string[]} */
  const said = [];
  const warn = console.warn;
  console.warn = (...values) => {
    said.push(...values.map(String));
    warn(...values);
  };
  try {
    if (!(await core.setBackend(backend))) {
      throw new Failure('backend', `TensorFlow.js could not start its ${backend} backend: ${said.join('; ')}`);
    }
  } finally {
    console.warn = warn;
  }
  await core.ready();
  if (core.getBackend() !== backend) {
    throw new Failure('backend', `the requested backend is ${backend}, but ${core.getBackend()} is active`);
  }
}
