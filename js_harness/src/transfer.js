// Transfers tensors between Python and the page over HTTP, with couriers: see courier.js.

import {Failure} from './failure.js';
import {cut} from './ranges.js';
import {decode, encode} from './safetensors.js';

/** @typedef {import('./safetensors.js').NamedTensor} NamedTensor */
/** @typedef {import('./courier.js').Delivery} Delivery */

/** Bytes after which a courier is replaced, which frees the data that the browser keeps of its requests. */
const TOUR = 2 << 20;
/** The smallest range for a separate connection. */
const SMALLEST_RANGE = 4 << 20;

/** @param {string} url @returns {Promise<Map<string, NamedTensor>>} */
export async function download(url) {
  return decode(await couriers.send(`GET ${url}`, {url: absolute(url)}));
}

/** @param {string} url @returns {Promise<ArrayBuffer>} the bytes of a file of the user's */
export function downloadFile(url) {
  return couriers.send(`GET ${url}`, {url: absolute(url)});
}

/** @param {string} url @param {ReadonlyArray<NamedTensor>} tensors @param {number} streams at most */
export async function upload(url, tensors, streams) {
  const {parts, size} = encode(tensors);
  // A Blob is passed to the courier as a handle, and Chromium stores several Blobs faster than one of their total size.
  const count = Math.max(1, Math.min(streams, Math.floor(size / SMALLEST_RANGE)));
  const ranges = cut(parts, Math.ceil(size / count)).map(({offset, pieces}) => ({
    offset,
    blob: new Blob(/** @type {BlobPart[]} */ (pieces)),
  }));
  await couriers.send(`POST ${url}`, {url: absolute(url), ranges, total: size}, size);
}

/** @param {string} url relative to the page, which a courier is not */
function absolute(url) {
  return new URL(url, location.href).href;
}

/** One courier at a time, which is replaced after TOUR bytes; the next one is started early, because a worker starts slowly. */
class Couriers {
  #worker = this.#hire();
  #next = this.#hire();
  #moved = 0;
  #orders = 0;
  /** @type {Map<number, {resolve: (buffer: ArrayBuffer) => void, reject: (why: Error) => void}>} */
  #waiting = new Map();

  /**
   * @param {string} what for the message of an error
   * @param {Omit<import('./courier.js').Get, 'id'> | Omit<import('./courier.js').Post, 'id'>} order
   * @param {number} size of the upload, in bytes
   */
  async send(what, order, size = 0) {
    const id = ++this.#orders;
    try {
      /** @type {ArrayBuffer} */
      const buffer = await new Promise((resolve, reject) => {
        this.#waiting.set(id, {resolve, reject});
        this.#worker.postMessage({id, ...order});
      });
      this.#moved += buffer.byteLength + size;
      return buffer;
    } catch (error) {
      throw new Failure('transfer', `${what}: ${error instanceof Error ? error.message : error}`);
    } finally {
      this.#waiting.delete(id);
      if (this.#moved >= TOUR && !this.#waiting.size) this.#relieve();
    }
  }

  #relieve() {
    this.#worker.terminate();
    this.#worker = this.#next;
    this.#next = this.#hire();
    this.#moved = 0;
  }

  #hire() {
    const worker = new Worker(new URL('courier.js', import.meta.url), {type: 'module', name: 'courier'});
    worker.onmessage = (/** @type {MessageEvent<Delivery>} */ {data}) => {
      const order = this.#waiting.get(data.id);
      if ('buffer' in data) order?.resolve(data.buffer);
      else order?.reject(new Error(data.refused));
    };
    worker.onerror = (event) => {
      const why = new Error(event.message || 'the worker that moves tensors does not start');
      for (const order of this.#waiting.values()) order.reject(why);
    };
    return worker;
  }
}

const couriers = new Couriers();
