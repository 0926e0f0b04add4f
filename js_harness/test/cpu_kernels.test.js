import {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import {beforeAll, describe, expect, it} from 'vitest';

import {runOnCpu} from '../../pycheck/remedies/run_on_cpu.js';
import {CpuKernels} from '../src/cpu_kernels.js';

/** A second backend with kernels of its own: those of the CPU, but for a relu that is wrong. */
class OtherBackend extends MathBackendCPU {}

describe('kernels that run on the CPU', () => {
  /** @type {string[]} */
  const used = [];

  beforeAll(async () => {
    tf.registerBackend('other', () => new OtherBackend());
    tf.copyRegisteredKernels('cpu', 'other');
    tf.unregisterKernel('Relu', 'other');
    tf.registerKernel({
      kernelName: 'Relu',
      backendName: 'other',
      kernelFunc: ({backend}) => {
        const other = /** @type {OtherBackend} */ (backend);
        return other.makeTensorInfo([3], 'float32', Float32Array.of(NaN, NaN, NaN));
      },
    });
    await tf.setBackend('other');
  });

  it('are wrong before', async () => {
    expect([...(await tf.relu(tf.tensor1d([-1, 0, 2])).data())]).toEqual([NaN, NaN, NaN]);
  });

  it('give what the CPU gives, and the backend stays what it is', async () => {
    runOnCpu(tf, 'other', ['Relu', 'Concat', 'SplitV'], (name) => used.push(name));
    expect([...(await tf.relu(tf.tensor1d([-1, 0, 2])).data())]).toEqual([0, 0, 2]);
    expect(tf.getBackend()).toBe('other');
    expect(used).toEqual(['Relu']);
  });

  it('may take a list of inputs and give several outputs', async () => {
    expect([...(await tf.concat([tf.tensor1d([1, 2]), tf.tensor1d([3, 4])]).data())]).toEqual([1, 2, 3, 4]);
    const parts = tf.split(tf.tensor1d([1, 2, 3, 4]), 2);
    expect(await Promise.all(parts.map(async (part) => [...(await part.data())]))).toEqual([[1, 2], [3, 4]]);
  });

  it('leave nothing behind on either side', () => {
    const cpu = /** @type {MathBackendCPU} */ (tf.findBackend('cpu'));
    const before = [cpu.numDataIds(), tf.memory().numTensors];
    tf.tidy(() => {
      tf.relu(tf.concat([tf.tensor1d([1, 2]), tf.tensor1d([3, 4])]));
    });
    expect([cpu.numDataIds(), tf.memory().numTensors]).toEqual(before);
  });

  it('that nobody has are refused, with those that begin alike', async () => {
    const kernels = new CpuKernels();
    await expect(kernels.move(['Rleu'])).rejects.toMatchObject({code: 'flag', message: expect.stringContaining('Relu6')});
  });
});
