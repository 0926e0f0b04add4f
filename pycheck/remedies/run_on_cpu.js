/**
 * Lets TensorFlow.js's CPU kernels compute these operations, while another backend stays active: their inputs are
 * read back, computed and handed on. To be called after tf.setBackend and before the model is loaded.
 *
 * The backend must be one that can be read synchronously: webgl or wasm, not webgpu.
 *
 * @param {typeof import('@tensorflow/tfjs-core')} tf with its CPU backend imported, as @tensorflow/tfjs has it
 * @param {string} backendName the active backend
 * @param {readonly string[]} kernelNames such as 'Relu'
 * @param {(kernelName: string) => void} [onUse] told of each use
 */
export function runOnCpu(tf, backendName, kernelNames, onUse = () => {}) {
  /** @typedef {import('@tensorflow/tfjs-core').TensorInfo} TensorInfo */
  /** @typedef {import('@tensorflow/tfjs-core').KernelBackend} KernelBackend */
  const cpu = tf.findBackend('cpu');
  const copy = (/** @type {TensorInfo} */ {dataId, shape, dtype}, /** @type {KernelBackend} */ from, /** @type {KernelBackend} */ to) => (
    {dataId: to.write(from.readSync(dataId), shape, dtype), shape, dtype}
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
        const given = /** @type {TensorInfo[]} */ (Object.values(inputs).filter(Boolean));
        // A complex tensor is two others, which a copy would lose.
        if (replaced && given.some(({dtype}) => dtype === 'complex64')) return replaced.kernelFunc(call);
        const active = /** @type {KernelBackend} */ (call.backend);
        const entries = Object.entries(inputs).map(([name, info]) => [name, info && copy(info, active, cpu)]);
        const moved = Array.isArray(inputs) ? entries.map(([, info]) => info) : Object.fromEntries(entries);
        const results = /** @type {TensorInfo[]} */ ([kernel.kernelFunc({...call, inputs: moved, backend: cpu})].flat());
        const outputs = results.map((info) => copy(info, cpu, active));
        for (const info of [...Object.values(moved), ...results]) if (info) cpu.disposeData(info.dataId);
        onUse(kernelName);
        return outputs.length === 1 ? outputs[0] : outputs;
      },
    });
  }
}
