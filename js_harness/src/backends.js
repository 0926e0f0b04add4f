// The four backends: how each is loaded, the renderer that it runs on, and how it reports a failure.

import {backend as activeBackend} from '@tensorflow/tfjs-core';

import {Failure} from './failure.js';
import {describeDevice, requireWebGPU, SOFTWARE} from './webgpu.js';

/** @typedef {import('./webgpu.js').Report} Report */
/**
 * The renderer of a started backend. `check` throws if the GPU has failed since, which
 * TensorFlow.js does not check: it would return arbitrary memory.
 * @typedef {{
 *   renderer: string | null,
 *   software: boolean | null,
 *   wasmThreads: number | null,
 *   notes: string[],
 *   check: () => void,
 * }} Description
 */
/**
 * `prepare` runs before the backend's modules are imported and may name flags to set.
 * @typedef {{
 *   prepare: () => Promise<Record<string, boolean>>,
 *   load: () => Promise<unknown>,
 *   describe: (report: Report) => Promise<Description>,
 * }} Backend
 */

/** @returns {Description} */
const plain = () => ({renderer: null, software: null, wasmThreads: null, notes: [], check: () => {}});

/** @type {Record<'cpu' | 'wasm' | 'webgl' | 'webgpu', Backend>} */
export const BACKENDS = {
  cpu: {
    prepare: async () => ({}),
    load: () => import('@tensorflow/tfjs-backend-cpu'),
    describe: async () => plain(),
  },
  wasm: {
    prepare: async () => ({}),
    load: async () => {
      const {setWasmPaths} = await import('@tensorflow/tfjs-backend-wasm');
      setWasmPaths(new URL('./', import.meta.url).href);
    },
    describe: async () => {
      const {getThreadsCount} = await import('@tensorflow/tfjs-backend-wasm');
      return {...plain(), wasmThreads: getThreadsCount()};
    },
  },
  webgl: {prepare: prepareWebGL, load: () => import('@tensorflow/tfjs-backend-webgl'), describe: describeWebGL},
  webgpu: {prepare: prepareWebGPU, load: () => import('@tensorflow/tfjs-backend-webgpu'), describe: describeWebGPU},
};

/**
 * TensorFlow.js rejects software WebGL by default, by the attribute failIfMajorPerformanceCaveat. Its flag
 * SOFTWARE_WEBGL_ENABLED allows software WebGL, without any further effect.
 * @returns {Promise<Record<string, boolean>>}
 */
async function prepareWebGL() {
  if (canMakeContext(true)) return {};
  if (canMakeContext(false)) return {SOFTWARE_WEBGL_ENABLED: true};
  throw new Failure('unavailable', 'this browser provides no WebGL 2 or WebGL 1 context');
}

/** @param {boolean} failIfMajorPerformanceCaveat @returns {boolean} */
function canMakeContext(failIfMajorPerformanceCaveat) {
  const canvas = document.createElement('canvas');
  const attributes = {failIfMajorPerformanceCaveat};
  const gl = /** @type {WebGLRenderingContext | null} */ (
    canvas.getContext('webgl2', attributes) ?? canvas.getContext('webgl', attributes)
  );
  gl?.getExtension('WEBGL_lose_context')?.loseContext();
  return gl !== null;
}

/** @param {Report} report @returns {Promise<Description>} */
async function describeWebGL(report) {
  const gl = /** @type {{gpgpu: {gl: WebGL2RenderingContext}}} */ (/** @type {unknown} */ (activeBackend())).gpgpu.gl;
  gl.canvas.addEventListener('webglcontextlost', (event) => {
    const reason = /** @type {WebGLContextEvent} */ (event).statusMessage;
    report('context-lost', `the WebGL context was lost${reason ? `: ${reason}` : ''}`);
  });
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  const check = () => {
    if (gl.isContextLost()) throw new Failure('gpu', 'the WebGL context was lost');
    const error = gl.getError();
    if (error !== gl.NO_ERROR) throw new Failure('gpu', `WebGL reports ${errorName(gl, error)}`);
  };
  return {...plain(), renderer, software: SOFTWARE.test(renderer), check};
}

/** @param {WebGL2RenderingContext} gl @param {GLenum} error @returns {string} */
function errorName(gl, error) {
  const names = /** @type {const} */ (['INVALID_ENUM', 'INVALID_VALUE', 'INVALID_OPERATION',
    'INVALID_FRAMEBUFFER_OPERATION', 'OUT_OF_MEMORY', 'CONTEXT_LOST_WEBGL']);
  return names.find((name) => gl[name] === error) ?? `error ${error}`;
}

async function prepareWebGPU() {
  await requireWebGPU();
  return {};
}

/** @param {Report} report @returns {Promise<Description>} */
async function describeWebGPU(report) {
  const {device} = /** @type {{device: import('./webgpu.js').Device}} */ (/** @type {unknown} */ (activeBackend()));
  return {...plain(), ...await describeDevice(device, report)};
}
