/**
 * Runs these operations with TensorFlow.js's CPU kernels while a different backend stays active: their inputs are copied
 * to the CPU, and their results back. Call it after tf.setBackend and before the model is loaded.
 *
 * The backend must be one that can be read synchronously: webgl or wasm, not webgpu.
 *
 * @param {typeof import('@tensorflow/tfjs-core')} tf with its CPU backend imported, as in @tensorflow/tfjs
 * @param {string} backendName the active backend
 * @param {readonly string[]} kernelNames such as 'Relu'
 * @param {(kernelName: string) => void} [onUse] receives each use
 */
export function runOnCpu(tf, backendName, kernelNames, onUse = () => {}) {
  /** @typedef {import('@tensorflow/tfjs-core').TensorInfo} TensorInfo */
  /** @typedef {import('@tensorflow/tfjs-core').KernelBackend} KernelBackend */
  const cpu = /** @type {KernelBackend} */ (tf.findBackend('cpu'));
  // The other CPU kernels reject complex tensors.
  const forComplex = ('Add Cast Complex ComplexAbs Concat ExpandDims FFT IFFT Identity Imag Multiply OnesLike Real '
    + 'Reshape Sub ZerosLike').split(' ');
  const complexOf = {cpu: tf.getKernel('Complex', 'cpu'), [backendName]: tf.getKernel('Complex', backendName)};

  // Some kernels return an array of a different type than the tensor's: a Cast from int32 to float32 its Int32Array.
  const typed = (/** @type {any} */ values, /** @type {string} */ dtype) => (
    dtype === 'float32' ? Float32Array.from(values)
      : dtype === 'int32' ? Int32Array.from(values)
        : dtype === 'bool' ? Uint8Array.from(values, (/** @type {number} */ value) => Number(value !== 0))
          : values
  );

  /** @returns {TensorInfo} */
  const write = (/** @type {KernelBackend} */ to, /** @type {any} */ values, /** @type {number[]} */ shape, /** @type {any} */ dtype) => (
    {dataId: to.write(typed(values, dtype), shape, dtype), shape, dtype}
  );

  // A complex tensor consists of two tensors; it is read as one array in which real and imaginary parts alternate.
  const complex = (/** @type {any} */ values, /** @type {number[]} */ shape, /** @type {KernelBackend} */ to) => {
    const kernel = complexOf[to === cpu ? 'cpu' : backendName];
    if (!kernel) throw new Error(`TensorFlow.js's ${backendName} backend has no complex tensors`);
    const [real, imag] = [0, 1].map((odd) => (
      write(to, Float32Array.from({length: values.length / 2}, (_, i) => values[2 * i + odd]), shape, 'float32')
    ));
    const made = kernel.kernelFunc({inputs: {real, imag}, attrs: {}, backend: to});
    for (const part of [real, imag]) to.disposeData(part.dataId);
    return /** @type {TensorInfo} */ (made);
  };

  const copy = (/** @type {TensorInfo} */ {dataId, shape, dtype}, /** @type {KernelBackend} */ from, /** @type {KernelBackend} */ to) => (
    dtype === 'complex64' ? complex(from.readSync(dataId), shape, to) : write(to, from.readSync(dataId), shape, dtype)
  );

  for (const kernelName of kernelNames) {
    const kernel = tf.getKernel(kernelName, 'cpu');
    const replaced = tf.getKernel(kernelName, backendName);
    if (!kernel) throw new Error(`TensorFlow.js's cpu backend has no kernel '${kernelName}'`);
    if (replaced) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      ...(replaced ?? {}),
      kernelName,
      backendName,
      kernelFunc: (call) => {
        const inputs = /** @type {Record<string, TensorInfo | null>} */ (call.inputs);
        const active = /** @type {KernelBackend} */ (call.backend);
        const isComplex = Object.values(inputs).some((info) => info?.dtype === 'complex64');
        if (isComplex && replaced && !forComplex.includes(kernelName)) return replaced.kernelFunc(call);
        const entries = Object.entries(inputs).map(([name, info]) => [name, info && copy(info, active, cpu)]);
        const moved = Array.isArray(inputs) ? entries.map(([, info]) => info) : Object.fromEntries(entries);
        const result = kernel.kernelFunc({...call, inputs: moved, backend: cpu});
        const results = /** @type {TensorInfo[]} */ ([result].flat());
        const outputs = results.map((info) => copy(info, cpu, active));
        for (const info of [...Object.values(moved), ...results]) if (info) cpu.disposeData(info.dataId);
        onUse(kernelName);
        return Array.isArray(result) ? outputs : outputs[0]; // a list of one stays a list: Unpack, SplitV
      },
    });
  }
}
