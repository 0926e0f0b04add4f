// Observes the code of the user's app: errors that it does not catch, addresses that it requests, the time that it takes.

/** The most milliseconds until the browser reports the place of a syntax error. */
const PLACE_MS = 2000;
const APP_FRAME = /\/app\/\d+\/([^\s)]+?:\d+:\d+)/;

export class AppWatch {
  /** @type {((error: unknown) => void) | null} */
  #reject = null;
  /** @type {Set<string>} */
  #requested = new Set();
  /** @type {string[]} the addresses that the running code requested */
  refusedNow = [];

  constructor() {
    if (typeof document === 'undefined') return;
    // In the capturing phase these are called before the listeners of the page, which end it.
    for (const type of ['error', 'unhandledrejection']) addEventListener(type, (event) => this.#uncaught(event), true);
    document.addEventListener('securitypolicyviolation', ({blockedURI}) => {
      this.#requested.add(blockedURI);
      this.refusedNow.push(blockedURI);
    });
  }

  /** Returns all addresses that were requested since the last call. */
  takeRequested() {
    const requested = [...this.#requested];
    this.#requested.clear();
    return requested;
  }

  /**
   * Waits for the app's code, which fails at its first uncaught error, or after some seconds.
   * @template T @param {Promise<T>} work @param {number} timeout_s @param {() => Error} late makes the error
   * @returns {Promise<T>}
   */
  async during(work, timeout_s, late) {
    this.refusedNow = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    /** @type {Promise<never>} */
    const failing = new Promise((_, reject) => {
      this.#reject = reject;
      timer = setTimeout(() => reject(late()), timeout_s * 1000);
    });
    try {
      return await Promise.race([work, failing]);
    } finally {
      clearTimeout(timer);
      this.#reject = null;
    }
  }

  /**
   * Returns the place of a syntax error, which the error of an import does not have: a script element of the same module
   * reports it. @param {string} url @returns {Promise<string>}
   */
  async place(url) {
    const script = document.createElement('script');
    script.type = 'module';
    try {
      return await new Promise((resolve) => {
        this.#reject = (error) => resolve(error instanceof Place ? ` (${error.message})` : '');
        script.onload = script.onerror = () => setTimeout(() => resolve(''), 100);
        setTimeout(() => resolve(''), PLACE_MS);
        script.src = url;
        document.head.append(script);
      });
    } finally {
      this.#reject = null;
      script.remove();
    }
  }

  /** @param {Event} event */
  #uncaught(event) {
    if (event.target !== window) return; // an image that does not load, for example
    const {error, reason, filename, lineno, colno} = /** @type {any} */ (event);
    const cause = error ?? reason;
    const fromApp = /\/app\/\d+\//.test(`${filename ?? ''} ${cause?.stack ?? ''}`);
    if (!this.#reject && !fromApp) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const isSyntax = error instanceof SyntaxError || (!cause && lineno);
    this.#reject?.(isSyntax ? new Place(`${shortened(filename)}:${lineno}:${colno}`) : cause);
  }
}

/** The place of a syntax error. */
class Place extends Error {}

/** @param {string} url */
function shortened(url) {
  return url.match(/\/app\/\d+\/(.*)$/)?.[1] ?? url;
}

/**
 * Formats an error of the app's code with its place in it.
 * @param {unknown} error @returns {string}
 */
export function told(error) {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.match(APP_FRAME)?.[1];
  return `${error.name}: ${error.message}${place ? ` (${place})` : ''}`;
}
