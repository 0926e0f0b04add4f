// Kernels that are to run on TensorFlow.js's CPU backend, although another one is active.

import * as core from '@tensorflow/tfjs-core';

import {runOnCpu} from '../../pycheck/remedies/run_on_cpu.js';
import {Failure} from './failure.js';

/** Stands for every kernel. */
const ALL = '*';
/** It makes a complex tensor, which is two others and cannot be moved as one. */
const STAYS = 'Complex';

export class CpuKernels {
  /** @type {Set<string>} */
  #used = new Set();

  /** The kernels that ran there, in the order of their first use. */
  get used() {
    return [...this.#used];
  }

  /** @param {readonly string[]} names of kernels, or '*' */
  async move(names) {
    if (names.length === 0) return;
    await import('@tensorflow/tfjs-backend-cpu');
    const known = core.getKernelsForBackend('cpu').map(({kernelName}) => kernelName).filter((name) => name !== STAYS);
    const unknown = names.filter((name) => name !== ALL && !known.includes(name));
    if (unknown.length) throw new Failure('flag', unknownKernels(unknown, known));
    const moved = names.includes(ALL) ? known : names;
    runOnCpu(core, core.getBackend(), moved, (name) => this.#used.add(name));
  }
}

/** @param {readonly string[]} unknown @param {readonly string[]} known */
function unknownKernels(unknown, known) {
  const alike = known.filter((name) => unknown.some((other) => other[0].toLowerCase() === name[0].toLowerCase()));
  const there = alike.length ? `; with the same first letter there are ${alike.sort().join(', ')}` : '';
  return `TF.js has no kernel ${unknown.join(', ')} that its CPU backend could run${there}`;
}
