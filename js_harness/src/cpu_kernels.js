// Runs some kernels on TensorFlow.js's CPU backend while a different backend is active.

import * as core from '@tensorflow/tfjs-core';

import {runOnCpu} from '../../pycheck/remedies/run_on_cpu.js';
import {Failure} from './failure.js';

/** The name for all kernels. */
const ALL = '*';
/** A kernel that makes a complex tensor, which consists of two tensors and cannot be moved as one. */
const STAYS = 'Complex';

export class CpuKernels {
  /** @type {Set<string>} */
  #used = new Set();

  /** Returns the kernels that ran on the CPU, in the order of their first use. */
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
  const there = alike.length ? `; kernels with the same first letter: ${alike.sort().join(', ')}` : '';
  return `TF.js has no kernel ${unknown.join(', ')} in its CPU backend${there}`;
}
