// TensorFlow.js's flags: they are set before the modules that read them run, and read back afterwards.

import {env} from '@tensorflow/tfjs-core';

import {Failure} from './failure.js';

/** @typedef {import('./protocol.d.ts').FlagValue} FlagValue */
/** @typedef {Readonly<Record<string, FlagValue>>} Flags */

/**
 * The parts of tf.Environment that its types hide. `urlFlags` are the flags of `?tfjsflags=`: TensorFlow.js applies
 * them when a flag is registered. They therefore also work for flags that a backend reads while its modules load
 * (CPU_HANDOFF_SIZE_THRESHOLD), for which `set` is too late.
 * @typedef {{
 *   flagRegistry: Record<string, {evaluationFn: () => unknown}>,
 *   urlFlags: Record<string, FlagValue>,
 * }} Internals
 */
const internals = /** @type {Internals} */ (/** @type {unknown} */ (env()));

/** Flags about the platform of the page, which must not be set and which reports do not need. */
const HIDDEN = /^(IS_|PROD$)/;

/** Sets flags before a backend's modules are imported. @param {Flags} flags */
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

/** @param {Flags} flags the requested ones @returns {string[]} those that no loaded module has registered */
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
  // Flags whose default is a promise are probes of the browser, and all of them are boolean.
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
