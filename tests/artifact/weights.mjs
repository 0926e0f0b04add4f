// Decodes an artifact's weights with TF.js: node weights.mjs NODE_MODULES FOLDER OUT writes OUT/<index>.bin.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const [nodeModules, folder, out] = process.argv.slice(2);
const require = createRequire(join(nodeModules, 'anchor.js'));
const tf = require('@tensorflow/tfjs-core');
require('@tensorflow/tfjs-backend-cpu');
const {weightsManifest} = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
const shards = weightsManifest.flatMap((group) => group.paths).map((path) => readFileSync(join(folder, path)));
const specs = weightsManifest.flatMap((group) => group.weights);
const weights = tf.io.decodeWeights(new Uint8Array(Buffer.concat(shards)).buffer, specs);
specs.forEach(({name}, index) => {
  const data = weights[name].dataSync();
  writeFileSync(join(out, `${index}.bin`), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
});
