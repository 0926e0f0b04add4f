// Measures the arithmetic of LiteRT.js: runs a kernel of a file of its own and returns the bits of its result.
// The same products as in probes.js, in one tensor.

import {Tensor} from '@litertjs/core';

/** @typedef {import('./litert.js').Compiled} Compiled */

/** A .tflite file with one operation: the product of the inputs a and b, float32 of shape [1, 8], is the output product. */
const PRODUCT =
  'HAAAAFRGTDMUACAAHAAYABQAEAAMAAAACAAEABQAAAAcAAAAoAAAAPgAAACwAQAAwAEAADwDAAADAAAAAQAAABAAAAAAAAoAEAAMAAgABAAKAA' +
  'AADAAAABwAAAA4AAAADwAAAHNlcnZpbmdfZGVmYXVsdAABAAAABAAAAIj///8CAAAABAAAAAcAAABwcm9kdWN0AAIAAAAYAAAABAAAAPb+//8E' +
  'AAAAAQAAAGIAAAC8////AQAAAAQAAAABAAAAYQAAAAIAAAA0AAAABAAAANz///8FAAAABAAAABMAAABDT05WRVJTSU9OX01FVEFEQVRBAAgADA' +
  'AIAAQACAAAAAQAAAAEAAAAEwAAAG1pbl9ydW50aW1lX3ZlcnNpb24ABgAAALQAAACsAAAApAAAAJwAAAB8AAAABAAAAJL///8EAAAAYAAAABAA' +
  'AAAAAAAACAAOAAgABAAIAAAAEAAAACQAAAAAAAYACAAEAAYAAAAEAAAAAAAAAAwAGAAUABAADAAEAAwAAACTZDFTP4XVbwMAAAACAAAABAAAAA' +
  'YAAAAyLjIxLjAAAAAABgAIAAQABgAAAAQAAAAQAAAAMS41LjAAAAAAAAAAAAAAAIj+//+M/v//kP7//5T+//8PAAAATUxJUiBDb252ZXJ0ZWQu' +
  'AAEAAAAUAAAAAAAOABgAFAAQAAwACAAEAA4AAAAUAAAAHAAAAFwAAABgAAAAaAAAAAQAAABtYWluAAAAAAEAAAAUAAAAAAAOABQAAAAQAAwACw' +
  'AEAA4AAAAQAAAAAAAAFQwAAAAQAAAAFP///wEAAAACAAAAAgAAAAEAAAAAAAAAAQAAAAIAAAACAAAAAAAAAAEAAAADAAAApAAAAEgAAAAEAAAA' +
  'fv///wAAAAEQAAAAEAAAAAMAAAAgAAAAaP///xEAAABQYXJ0aXRpb25lZENhbGw6MAAAAAIAAAABAAAACAAAAL7///8AAAABEAAAABAAAAACAA' +
  'AAIAAAAKj///8TAAAAc2VydmluZ19kZWZhdWx0X2E6MAACAAAAAQAAAAgAAAAAABYAGAAUAAAAEAAMAAgAAAAAAAAABwAWAAAAAAAAARQAAAAU' +
  'AAAAAQAAACQAAAAEAAQABAAAABMAAABzZXJ2aW5nX2RlZmF1bHRfYjowAAIAAAABAAAACAAAAAEAAAAQAAAADAAMAAsAAAAAAAQADAAAABIAAA' +
  'AAAAAS';

const LEFT = [2049, 16777215, 2 ** -126, 2 ** -127, 2 ** -14, 2 ** -15, 2051, 70000];
const RIGHT = [1, 1, 0.5, 1, 0.5, 1, 1, 1];

/**
 * @param {(file: Uint8Array) => Promise<Compiled>} compile
 * @returns {Promise<import('./protocol.d.ts').Probes>}
 */
export async function probe(compile) {
  const model = await compile(Uint8Array.from(atob(PRODUCT), (character) => character.charCodeAt(0)));
  const inputs = {
    a: new Tensor(Float32Array.from(LEFT), [1, LEFT.length]),
    b: new Tensor(Float32Array.from(RIGHT), [1, RIGHT.length]),
  };
  try {
    const {product} = await model.run(inputs);
    const bits = [...new Uint32Array(Float32Array.from(await product.data()).buffer)];
    product.delete();
    return {
      significand: bits.slice(0, 2),
      denormals_float32: bits.slice(2, 4),
      denormals_float16: bits.slice(4, 6),
      limits_float16: bits.slice(6, 8),
    };
  } finally {
    for (const tensor of Object.values(inputs)) tensor.delete();
    model.delete();
  }
}
