// What anyone would write into a page to run a model: the floor that pycheck is measured against.
// Models with one input and one output.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import {setWasmPaths} from '@tensorflow/tfjs-backend-wasm';
import {loadGraphModel} from '@tensorflow/tfjs-converter';
import {loadLayersModel} from '@tensorflow/tfjs-layers';

setWasmPaths(new URL('./', import.meta.url).href);

/** The model, loaded for one backend. */
async function load(backend, format) {
  // Without a GPU, TF.js refuses the browser's software WebGL and goes on with another backend.
  if (backend === 'webgl') tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  await tf.setBackend(backend);
  await tf.ready();
  if (tf.getBackend() !== backend) throw new Error(`${backend} was asked for and ${tf.getBackend()} is active`);
  const url = 'artifact/model.json';
  return format === 'layers' ? loadLayersModel(url) : loadGraphModel(url);
}

/** Fetches each batch as bytes, predicts, and posts the result as bytes. Returns seconds. */
async function predictBytes(backend, format, shape, batchSizes) {
  const begin = performance.now();
  const model = await load(backend, format);
  const loaded = performance.now();
  for (const [index, size] of batchSizes.entries()) {
    const bytes = await (await fetch(`inputs/${index}`)).arrayBuffer();
    const x = tf.tensor(new Float32Array(bytes), [size, ...shape]);
    const y = model.predict(x);
    await fetch(`outputs/${backend}/${index}`, {method: 'POST', body: await y.data()});
    x.dispose();
    y.dispose();
  }
  model.dispose();
  return {load_s: (loaded - begin) / 1000, predict_s: (performance.now() - loaded) / 1000};
}

/** Predicts one batch that came as nested lists, on each backend, and returns nested lists. */
async function predictLists(backends, format, lists) {
  const results = {};
  for (const backend of backends) {
    const model = await load(backend, format);
    const y = model.predict(tf.tensor(lists));
    results[backend] = await y.array();
    model.dispose();
  }
  return results;
}

globalThis.bare = {predictBytes, predictLists};
globalThis.ready = true;
