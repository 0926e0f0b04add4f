function renderer() {
  if (tf.getBackend() !== 'webgl') return '';
  const gl = tf.backend().getGPGPUContext().gl;
  const told = gl.getExtension('WEBGL_debug_renderer_info');
  return gl.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
}

/** The operation as a model of its own: one node of a graph, or one layer. */
async function run() {
  const {format, modelTopology, signature, weightSpecs} = found;
  const artifacts = {format: `${format}-model`, modelTopology, signature, weightSpecs, weightData: bytes(found.weightData)};
  const handler = tf.io.fromMemory(artifacts);
  // Inside of its model these were computed on the GPU; TensorFlow.js leaves small tensors that are not there to the CPU.
  const made = (numbers, {onGpu, shape, dtype}) => {
    const tensor = tf.tensor(numbers, shape, dtype);
    if (onGpu && dtype === 'float32' && tensor.size && tf.backend().uploadToGPU) tf.backend().uploadToGPU(tensor.dataId);
    return tensor;
  };
  const inputs = found.inputs.map((input) => {
    if (input.dtype !== 'complex64') return made(values(input), input);
    const parts = [0, 1].map((part) => values(input).filter((_, at) => at % 2 === part));
    return tf.complex(...parts.map((numbers) => made(numbers, {...input, dtype: 'float32'})));
  });
  if (format === 'layers') {
    const model = await tf.loadLayersModel(handler);
    const rows = inputs[0].shape[0] || 1;
    const result = model.predict(inputs.length === 1 ? inputs[0] : inputs, {batchSize: rows});
    return Array.isArray(result) ? result[0] : result;
  }
  const model = await tf.loadGraphModel(handler);
  const named = Object.fromEntries(found.inputs.map(({name}, at) => [name, inputs[at]]));
  try {
    return model.execute(named, found.output);
  } catch (error) {
    if (!String(error).includes('executeAsync')) throw error;
    return model.executeAsync(named, found.output);
  }
}

/** Starts TensorFlow.js; returns what the page tells of it. */
async function start() {
  if (!window.tf) throw new Error('TensorFlow.js could not be loaded. Connect to the network, or see the source of this page.');
  for (const [name, value] of Object.entries(found.flags)) tf.env().set(name, value);
  if (!(await tf.setBackend(found.backend))) throw new Error(`the ${found.backend} backend does not start in this browser`);
  await tf.ready();
  return [
    ['TF.js', `${tf.version_core}, ${tf.getBackend()} ${renderer()}`.trim()],
    ['flags', Object.entries(found.flags).map(([name, value]) => `${name}=${value}`).join(', ') || 'as TensorFlow.js sets them'],
  ];
}
