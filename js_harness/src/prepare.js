// Turns files into tensors, or outputs into decisions, with a function of the user's app, and names each way in which that may
// fail.

import * as tf from './for_apps/tfjs.js';

import {told, watch} from './app_watch.js';
import {toJson} from './decision.js';
import {Failure} from './failure.js';
import {FileError, kindOf} from './file_error.js';
import {read, toTensor} from './model.js';
import {ARRAYS, decode} from './safetensors.js';
import {downloadFile, upload} from './transfer.js';

/** @typedef {import('./protocol.d.ts').Prepare} Prepare */
/** @typedef {import('./protocol.d.ts').FileResult} FileResult */
/** @typedef {import('./protocol.d.ts').FileOffer} FileOffer */
/** @typedef {import('./safetensors.js').NamedTensor} NamedTensor */
/** @typedef {(given: any, library: typeof tf) => unknown} AppFunction takes a file, or outputs */
/** @typedef {{result: FileResult, tensors: NamedTensor[]}} Outcome */

/** The backend that the module chose itself, if any: a module runs only once, and chooses it for all files. */
let chosenBackend = '';

/**
 * @param {Prepare} command
 * @returns {Promise<import('./protocol.d.ts').Prepared>}
 */
export async function prepare(command) {
  const own = await startBackend();
  try {
    const run = await loadFunction(command);
    /** @type {Outcome[]} */
    const outcomes = [];
    const start = performance.now();
    let [bytes, download_s] = [0, 0];
    for (const offer of command.files) {
      const before = performance.now();
      const file = await fetchFile(offer).catch(asFileError);
      download_s += (performance.now() - before) / 1000;
      const outcome = await prepareFile(run, file, command);
      outcomes.push(outcome);
      bytes += outcome.tensors.reduce((sum, {data}) => sum + data.byteLength, outcome.result.decision?.length ?? 0);
      if (bytes >= command.batch_bytes || performance.now() - start >= command.batch_s * 1000) break;
    }
    const tensors = outcomes.flatMap(({tensors}, index) =>
      tensors.map((tensor) => ({...tensor, name: `${index}/${tensor.name}`})),
    );
    const prepared = performance.now();
    await upload(command.outputs_url, tensors, command.upload_streams);
    return {
      type: 'prepared',
      id: command.id,
      files: outcomes.map(({result}) => result),
      backend: tf.getBackend(),
      requested: watch.takeRequested(),
      download_s,
      upload_s: (performance.now() - prepared) / 1000,
      tensor_count: tf.memory().numTensors,
    };
  } finally {
    chosenBackend = tf.getBackend() === own ? '' : tf.getBackend();
    if (chosenBackend) await tf.setBackend(own);
  }
}

/** Returns the backend of the page; a page of LiteRT.js has none, so that TensorFlow.js runs on the CPU. */
async function startBackend() {
  if (!tf.getBackend()) {
    await import('@tensorflow/tfjs-backend-cpu');
    await tf.setBackend('cpu');
  }
  const own = tf.getBackend();
  if (chosenBackend) await tf.setBackend(chosenBackend);
  return own;
}

/** @param {Prepare} command @returns {Promise<AppFunction>} */
async function loadFunction({module_url, export: wanted, file_timeout_s}) {
  const url = new URL(module_url, location.href).href;
  const late = () => new Failure('app', `it has not loaded within ${file_timeout_s} s`);
  const module = await watch.during(import(/* @vite-ignore */ url), file_timeout_s, late).catch(async (error) => {
    if (error instanceof Failure) throw error;
    const place = error instanceof SyntaxError ? await watch.place(url) : '';
    throw new Failure('app', `${told(error, place)}${requests(await watch.requestedNow())}`);
  });
  const found = module[wanted];
  if (typeof found === 'function') return found;
  const names = Object.keys(module).filter((name) => typeof module[name] === 'function');
  const has = names.length ? `the functions that it exports are: ${names.join(', ')}` : 'it exports no function';
  throw new Failure('app', `${wanted in module ? `its export '${wanted}' is not a function` : `it has no export '${wanted}'`}; ${has}`);
}

/** @param {string[]} addresses */
function requests(addresses) {
  return addresses.length ? `; it requested ${addresses.join(', ')}, and the page has no network` : '';
}

/** @param {FileOffer} offer */
async function fetchFile({name, media_type, url}) {
  return new File([await downloadFile(url)], name, {type: media_type});
}

/** @param {unknown} error */
function asFileError(error) {
  return new FileError('unreadable', error instanceof Error ? error.message : String(error));
}

/** @param {AppFunction} run @param {File | FileError} file @param {Prepare} command @returns {Promise<Outcome>} */
async function prepareFile(run, file, {names, makes, file_timeout_s: timeout_s}) {
  const before = tf.memory().numTensors;
  const start = performance.now();
  /** @type {NamedTensor[]} */
  let tensors = [];
  /** @type {string | null} */
  let decision = null;
  /** @type {FileError | null} */
  let failure = null;
  try {
    if (file instanceof FileError) throw file;
    const late = () => new FileError('timeout', `the function gave no result within ${timeout_s} s`);
    if (makes === 'decision') {
      decision = await watch.during(decide(run, file, names), timeout_s, late);
    } else {
      const reading = Promise.resolve(file).then((given) => run(given, tf)).then((returned) => readResult(returned, names));
      tensors = await watch.during(reading, timeout_s, late);
    }
  } catch (error) {
    failure = error instanceof FileError ? error : await thrown(error);
  }
  const leaked = failure?.code === 'timeout' ? 0 : tf.memory().numTensors - before;
  const compute_s = (performance.now() - start) / 1000;
  const told = {failure: failure?.code ?? null, message: failure?.message ?? ''};
  return {tensors, result: {...told, leaked_tensors: leaked, compute_s, decision}};
}

/**
 * Calls the function with the outputs of one sample, which it may dispose.
 * @param {AppFunction} run @param {File} file @param {readonly string[]} names @returns {Promise<string>}
 */
async function decide(run, file, names) {
  const given = decode(await file.arrayBuffer());
  const tensors = names.map((name) => toTensor(name, given));
  try {
    const outputs = names.length === 1 ? tensors[0] : Object.fromEntries(names.map((name, index) => [name, tensors[index]]));
    return toJson(await run(outputs, tf));
  } finally {
    for (const tensor of tensors) if (!tensor.isDisposed) tensor.dispose();
  }
}

/** @param {unknown} error */
async function thrown(error) {
  const requested = await watch.requestedNow();
  return new FileError(requested.length ? 'network' : 'threw', told(error) + requests(requested));
}

/** @param {unknown} returned @param {readonly string[]} names @returns {Promise<NamedTensor[]>} */
async function readResult(returned, names) {
  const named = byName(returned, names);
  try {
    return await Promise.all(named.map(([name, value]) => read(name, checked(name, value))));
  } finally {
    for (const [, value] of named) if (value instanceof tf.Tensor) value.dispose();
  }
}

/** @param {unknown} returned @param {readonly string[]} names @returns {[string, unknown][]} */
function byName(returned, names) {
  if (returned instanceof tf.Tensor) {
    if (names.length === 1) return [[names[0], returned]];
    returned.dispose();
    throw new FileError('result', `the function returned one tensor, and the inputs are ${names.join(', ')}: return an object of them`);
  }
  if (Object.prototype.toString.call(returned) !== '[object Object]') {
    throw new FileError('result', `the function returned ${kindOf(returned)} instead of a tensor`);
  }
  const given = Object.entries(/** @type {object} */ (returned));
  const keys = given.map(([key]) => key);
  if (names.every((name) => keys.includes(name)) && keys.length === names.length) return given;
  for (const [, value] of given) if (value instanceof tf.Tensor) value.dispose();
  const said = keys.length ? `the names ${keys.join(', ')}` : 'no name';
  throw new FileError('result', `the function returned an object with ${said}, and the inputs are ${names.join(', ')}`);
}

/** @param {string} name @param {unknown} value @returns {import('@tensorflow/tfjs-core').Tensor} */
function checked(name, value) {
  if (!(value instanceof tf.Tensor)) throw new FileError('result', `'${name}' is ${kindOf(value)} instead of a tensor`);
  if (value.isDisposed) throw new FileError('result', `'${name}' is a disposed tensor`);
  if (value.dtype in ARRAYS) return value;
  throw new FileError('result', `'${name}' has dtype ${value.dtype}: return ${Object.keys(ARRAYS).join(', ')}`);
}
