// Loads layers models from disk with plain tfjs-layers, predicts, and writes the outputs raw.
// Usage: node predict.mjs CASES.json, where CASES.json is
//   [{folder, inputs: [{file, dtype, shape}], out}]; beside each `out` prefix it leaves `out`.json
//   ({inputs, outputs: [{name, dtype, shape}]} or {error}) and `out`.0.bin, `out`.1.bin, ...
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const { loadLayersModel } = require('@tensorflow/tfjs-layers');

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

function bytesOf(path) {
  const file = readFileSync(path);
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
}

// What tf.io.browserHTTPRequest gives, from files.
function artifactsIn(folder) {
  const model = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const groups = model.weightsManifest ?? [];
  const shards = groups.flatMap((group) => group.paths.map((path) => Buffer.from(bytesOf(join(folder, path)))));
  const data = Buffer.concat(shards);
  return {
    modelTopology: model.modelTopology,
    weightSpecs: groups.flatMap((group) => group.weights),
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength),
  };
}

async function predict(testCase) {
  const model = await loadLayersModel({ load: async () => artifactsIn(testCase.folder) });
  const inputs = testCase.inputs.map(({ file, dtype, shape }) =>
    tf.tensor(new ARRAYS[dtype](bytesOf(join(dirname(testCase.out), file))), shape, dtype));
  const result = model.predict(inputs);
  const outputs = Array.isArray(result) ? result : [result];
  for (const [i, output] of outputs.entries()) {
    const data = await output.data();
    writeFileSync(`${testCase.out}.${i}.bin`, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  return {
    inputs: model.inputNames,
    outputs: outputs.map(({ dtype, shape }, i) => ({ name: model.outputNames[i], dtype, shape })),
  };
}

await tf.setBackend('cpu');
for (const testCase of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  let report;
  try {
    report = await predict(testCase);
  } catch (error) {
    report = { error: String(error?.stack ?? error) };
  }
  writeFileSync(`${testCase.out}.json`, JSON.stringify(report));
}
