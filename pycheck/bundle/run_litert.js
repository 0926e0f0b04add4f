let model;

/** Loads LiteRT.js and the operation, which is a file of its own; returns what the page tells of them. */
async function start() {
  let litert;
  try {
    litert = await import('@litertjs/core');
  } catch {
    throw new Error('LiteRT.js could not be loaded. Connect to the network.');
  }
  const {accelerator, version} = found;
  const jspi = accelerator === 'webgpu' && await litert.supportsFeature('jspi') && await litert.supportsFeature('relaxedSimd');
  await litert.loadLiteRt(found.wasm, {jspi});
  model = await litert.loadAndCompile(new Uint8Array(bytes(found.model)), {accelerator});
  window.litert = litert;
  return [['LiteRT.js', `${version}, ${model.options.accelerator}${jspi ? ', with JSPI' : ''}`]];
}

async function run() {
  const named = Object.fromEntries(
    found.inputs.map((input) => [input.name, new window.litert.Tensor(values(input), input.shape)]));
  const output = (await model.run(named))[found.output];
  return {data: () => output.data(), shape: [...output.type.layout.dimensions], dtype: output.type.dtype};
}
