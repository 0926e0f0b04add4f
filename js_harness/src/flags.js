// TensorFlow.js's flags: set before the modules that read them run, and read back afterwards.

import {env} from '@tensorflow/tfjs-core';

import {Failure} from './failure.js';

/** @typedef {import('./protocol.d.ts').FlagValue} FlagValue */
/** @typedef {Readonly<Record<string, FlagValue>>} Flags */

/**
 * The parts of tf.Environment that its types hide. `urlFlags` is where TensorFlow.js keeps the
 * flags of `?tfjsflags=`: they take effect as a flag is registered, and so also for those that a
 * backend reads while its modules load (CPU_HANDOFF_SIZE_THRESHOLD), which `set` comes too late for.
 * @typedef {{
 *   flagRegistry: Record<string, {evaluationFn: () => unknown}>,
 *   urlFlags: Record<string, FlagValue>,
 * }} Internals
 */
const internals = /** @type {Internals} */ (/** @type {unknown} */ (env()));

/** Where the page runs, which no flag should be told and no reader needs. */
const HIDDEN = /^(IS_|PROD$)/;

/** @param {Flags} flags to be called before a backend's modules are imported */
export function setBeforeImport(flags) {
  for (const [name, value] of Object.entries(flags)) {
    if (name in internals.flagRegistry) {
      checkType(name, value);
      env().set(name, fromJson(value));
    } else {
      internals.urlFlags[name] = fromJson(value);
    }
  }
}

/** @param {Flags} flags those asked for @returns {string[]} those that nothing loaded here has */
export function checkAfterImport(flags) {
  const unknown = [];
  for (const [name, value] of Object.entries(flags)) {
    if (name in internals.flagRegistry) checkType(name, value);
    else unknown.push(name);
  }
  return unknown;
}

/** @returns {Promise<{inForce: Record<string, FlagValue>, byDefault: Record<string, FlagValue>}>} */
export async function readBack() {
  /** @type {Record<string, FlagValue>} */
  const inForce = {};
  /** @type {Record<string, FlagValue>} */
  const byDefault = {};
  for (const name of Object.keys(internals.flagRegistry).sort()) {
    if (HIDDEN.test(name)) continue;
    inForce[name] = toJson(await env().getAsync(name));
    byDefault[name] = toJson(await internals.flagRegistry[name].evaluationFn());
  }
  return {inForce, byDefault};
}

/** @param {string} name @param {FlagValue} value */
function checkType(name, value) {
  const byDefault = internals.flagRegistry[name].evaluationFn();
  // Promised flags are probes of the browser and boolean, all of them.
  const wanted = byDefault instanceof Promise ? 'boolean' : typeof byDefault;
  const given = typeof fromJson(value);
  if (given !== wanted) {
    throw new Failure('flag', `flag ${name} takes a ${wanted}, such as ${toJson(byDefault)}, not ${given} ${value}`);
  }
}

/** @param {unknown} value @returns {FlagValue} */
function toJson(value) {
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  return typeof value === 'number' && Number.isFinite(value) ? value : String(value);
}

/** @param {FlagValue} value @returns {FlagValue} */
function fromJson(value) {
  return value === 'Infinity' || value === '-Infinity' || value === 'NaN' ? Number(value) : value;
}
