// Writes what the postprocessing of the user's app returns as JSON, which keeps NaN and infinity as Python's json does.

import {Tensor} from '@tensorflow/tfjs-core';

import {FileError, kindOf} from './file_error.js';

/** The most levels of lists and objects, and the most characters; those of pycheck/decisions/plain.py. */
const DEEPEST = 100;
const MOST_CHARACTERS = 1_000_000;

/**
 * Converts a decision to text. As with JSON.stringify, properties that are undefined are left out, and toJSON() is called; typed
 * arrays become lists.
 * @param {unknown} value @returns {string}
 */
export function toJson(value) {
  const text = write(value, '', []);
  if (text.length <= MOST_CHARACTERS) return text;
  throw new FileError('result', `the function returned ${text.length} characters of JSON, more than ${MOST_CHARACTERS}`);
}

/** @param {unknown} value @param {string} place @param {readonly object[]} around the objects that the value is in @returns {string} */
function write(value, place, around) {
  if (value === null || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'object') throw refused(value, place);
  if (around.includes(value)) throw new FileError('result', `'${shown(place)}' is an object that it is part of`);
  if (around.length > DEEPEST) throw new FileError('result', `the function returned more than ${DEEPEST} levels of objects`);
  const inner = [...around, value];
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(), place, inner);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)) {
    const items = Array.from(/** @type {ArrayLike<unknown>} */ (value));
    return `[${items.map((item, index) => write(item, `${place}[${index}]`, inner)).join(',')}]`;
  }
  if (value instanceof Tensor || Object.prototype.toString.call(value) !== '[object Object]') throw refused(value, place);
  const properties = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${properties.map(([key, item]) => `${JSON.stringify(key)}:${write(item, `${place}.${key}`, inner)}`).join(',')}}`;
}

/** @param {unknown} value @param {string} place */
function refused(value, place) {
  const told = place ? `'${shown(place)}' is` : 'the function returned';
  if (value instanceof Tensor) {
    return new FileError('result', `${told} a tensor: read it with await tensor.data() or await tensor.array()`);
  }
  return new FileError('result', `${told} ${kindOf(value)}: return text, numbers, booleans, null, or lists and objects of them`);
}

/** @param {string} place */
function shown(place) {
  return place.replace(/^\./, '') || 'the result';
}
