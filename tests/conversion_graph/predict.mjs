// Runs TF.js graph models in Node, on the cpu or wasm backend, as a page would.
// Usage: node predict.mjs JOBS.json, where JOBS.json is
//   [{folder, backend, inputs: {tensor: {file, dtype, shape}}, outputs: [tensor], out}]; in each folder `out` it leaves
//   result.json ({outputs: [{dtype, shape}], weights} or {error}) and 0.bin, 1.bin, ...
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
require('@tensorflow/tfjs-backend-wasm');
const { loadGraphModel } = require('@tensorflow/tfjs-converter');
console.warn = () => {}; // TF.js advises its Node bindings, and execute() where executeAsync() is not needed

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
const bytesOf = (file) => new Uint8Array(readFileSync(file)).buffer;

function handlerOf(folder) {
  const model = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const shards = model.weightsManifest.flatMap((group) => group.paths);
  return {
    load: async () => ({
      ...model,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: new Uint8Array(Buffer.concat(shards.map((path) => readFileSync(join(folder, path))))).buffer,
    }),
  };
}

async function run(job) {
  await tf.setBackend(job.backend);
  const model = await loadGraphModel(handlerOf(job.folder));
  const inputs = {};
  for (const [name, { dtype, shape, file }] of Object.entries(job.inputs)) {
    inputs[name] = tf.tensor(new ARRAYS[dtype](bytesOf(file)), shape, dtype);
  }
  let outputs;
  for (const _round of [1, 2]) { // the second shows whether the first disposed of a weight
    const results = [].concat(await model.executeAsync(inputs, job.outputs));
    outputs = [];
    for (const [index, tensor] of results.entries()) {
      // A cast that loses nothing leaves an array of the old type behind a tensor of the new.
      const values = ARRAYS[tensor.dtype].from(await tensor.data());
      writeFileSync(join(job.out, `${index}.bin`), new Uint8Array(values.buffer));
      outputs.push({ dtype: tensor.dtype, shape: tensor.shape });
    }
    tf.dispose(results);
  }
  return { outputs, inputNames: model.inputNodes, outputNames: model.outputNodes };
}

for (const job of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  let result;
  try {
    result = await run(job);
  } catch (error) {
    result = { error: String(error) };
  }
  writeFileSync(join(job.out, 'result.json'), JSON.stringify(result));
}
