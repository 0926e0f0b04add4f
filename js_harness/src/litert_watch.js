// Watches what LiteRT.js really does: it reports on the console which operations it leaves to the CPU, and nowhere that none
// ran on the GPU. `isFullyAccelerated` is true as well if WebAssembly takes every operation that the GPU lacks.

const UNRUN = /unresolved custom op: *(\S*?)\.?$|Failed to allocate tensors/m;
const CAUSE = /^ERROR: |delegate that only supports static-sized tensors/;
const LEFT_HEAD = /operations are not supported by GPU delegate/;
const LEFT = /^([A-Z][A-Z0-9_]*): (.+)$/;
const SHARE = /(?:(\d+|No) operations will run on the GPU, and (?:the remaining|all) (\d+) operations? will run on the CPU)/;

export class Watch {
  /** @type {string[]} */
  #lines = [];
  dispatches = 0;

  /** Before LiteRT.js is loaded, because it binds the functions of the console. */
  constructor() {
    for (const level of /** @type {const} */ (['log', 'warn', 'error'])) {
      const write = console[level].bind(console);
      console[level] = (...values) => {
        this.#lines.push(...values.map(String).join(' ').split('\n'));
        write(...values);
      };
    }
    if (typeof GPUComputePassEncoder === 'undefined') return;
    for (const name of /** @type {const} */ (['dispatchWorkgroups', 'dispatchWorkgroupsIndirect'])) {
      const dispatch = GPUComputePassEncoder.prototype[name];
      const watch = this;
      GPUComputePassEncoder.prototype[name] = /** @this {GPUComputePassEncoder} @param {any[]} values */ function (...values) {
        watch.dispatches++;
        return Reflect.apply(dispatch, this, values);
      };
    }
  }

  /** Forgets what was said and done so far. */
  reset() {
    this.#lines = [];
    this.dispatches = 0;
  }

  /** Returns why LiteRT.js computes nothing although it throws no error; empty if it computes. */
  get failure() {
    const line = this.#lines.find((text) => UNRUN.test(text));
    const operation = line && UNRUN.exec(line)?.[1];
    return operation ? `LiteRT.js has no operation ${operation}` : line ?? '';
  }

  /**
   * Adds what LiteRT.js said to an error that it threw, which has only places in its source.
   * @param {unknown} error
   */
  explained(error) {
    const message = error instanceof Error ? error.message : String(error);
    const causes = new Set(this.#lines.filter((line) => CAUSE.test(line)));
    return new Error(causes.size ? `${message} (the browser said: ${[...causes].join('; ')})` : message, {cause: error});
  }

  /**
   * Returns the operations that run on the CPU, with the reason, such as "GATHER: Only support 1D indices", and how many
   * run on either side.
   */
  get left() {
    /** @type {Set<string>} */
    const operations = new Set();
    let [onGpu, onCpu, listing] = [0, 0, false];
    for (const line of this.#lines) {
      const share = SHARE.exec(line);
      if (share) {
        onGpu += Number(share[1]) || 0;
        onCpu += Number(share[2]);
        listing = false;
      } else if (LEFT_HEAD.test(line)) listing = true;
      else if (listing && LEFT.test(line.trim())) operations.add(line.trim());
    }
    return {operations: [...operations], onGpu, onCpu};
  }
}
