// A WebGPU device: whether the browser has one, the renderer behind it, and how it reports a failure.

import {Failure} from './failure.js';

/** @typedef {(code: import('./protocol.d.ts').Event['code'], message: string) => void} Report */

/**
 * Fields that are missing from the WebGPU types that TensorFlow.js pins.
 * @typedef {{vendor: string, architecture: string, device: string, description: string, isFallbackAdapter?: boolean}} Info
 * @typedef {GPUDevice & {adapterInfo?: Info}} Device
 * @typedef {GPUAdapter & {info?: Info}} Adapter
 */

export const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i;

/** Throws if this page has no WebGPU adapter. */
export async function requireWebGPU() {
  if (!navigator.gpu) {
    throw new Failure('unavailable', isSecureContext
      ? 'this browser has no WebGPU (navigator.gpu is missing)'
      : 'browsers have no WebGPU for a page that was opened over http from a different machine (no secure context)');
  }
  if (!(await navigator.gpu.requestAdapter())) {
    throw new Failure('unavailable', 'this browser has WebGPU but provides no adapter');
  }
}

/**
 * `check` throws if the GPU has failed since: after an error WebGPU continues and returns zeros.
 * @param {Device} device @param {Report} report
 */
export async function describeDevice(device, report) {
  /** @type {string | null} */
  let broken = null;
  const breakWith = (/** @type {'device-lost' | 'gpu-error'} */ code, /** @type {string} */ message) => {
    broken ??= message;
    report(code, message);
  };
  void device.lost.then(({reason, message}) => {
    breakWith('device-lost', `the WebGPU device was lost (${reason}): ${message}`);
  });
  device.addEventListener('uncapturederror', (event) => {
    const {error} = /** @type {GPUUncapturedErrorEvent} */ (event);
    breakWith('gpu-error', `WebGPU reports ${error.constructor.name}: ${error.message}`);
  });
  const adapter = /** @type {Adapter | null} */ (await navigator.gpu.requestAdapter({powerPreference: 'high-performance'}));
  const info = device.adapterInfo ?? adapter?.info;
  const renderer = info ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ') : '';
  return {
    renderer: renderer || null,
    software: (info?.isFallbackAdapter ?? false) || SOFTWARE.test(renderer),
    check: () => {
      if (broken) throw new Failure('gpu', broken);
    },
  };
}
