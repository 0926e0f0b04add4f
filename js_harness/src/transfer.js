// Moves tensors between Python and the page over HTTP.
// Chromium sends an ArrayBuffer at 5 to 25 MB/s and a Blob ten times faster; a Blob in two ranges
// side by side is fastest where the page has just started (benchmarks/transfer.py measures it).

import {Failure} from './failure.js';
import {decode, encode} from './safetensors.js';

/** @typedef {import('./safetensors.js').NamedTensor} NamedTensor */

/** A range smaller than this is not worth a connection of its own. */
const SMALLEST_RANGE = 4 << 20;

/** @param {string} url @returns {Promise<Map<string, NamedTensor>>} */
export async function download(url) {
  const response = await checked(fetch(url), `GET ${url}`);
  return decode(await response.arrayBuffer());
}

/** @param {string} url @param {ReadonlyArray<NamedTensor>} tensors @param {number} streams at most */
export async function upload(url, tensors, streams) {
  const {parts, size} = encode(tensors);
  const blob = new Blob(/** @type {BlobPart[]} */ (parts));
  const count = Math.max(1, Math.min(streams, Math.floor(size / SMALLEST_RANGE)));
  const step = Math.ceil(size / count);
  const sending = Array.from({length: count}, (_, index) => {
    const begin = index * step;
    const body = blob.slice(begin, Math.min(size, begin + step));
    const target = `${url}?offset=${begin}&total=${size}`;
    return checked(fetch(target, {method: 'POST', body}), `POST ${target}`);
  });
  await Promise.all(sending);
}

/** @param {Promise<Response>} request @param {string} what @returns {Promise<Response>} */
async function checked(request, what) {
  let response;
  try {
    response = await request;
  } catch (error) {
    throw new Failure('transfer', `${what}: ${error instanceof Error ? error.message : error}`);
  }
  if (!response.ok) throw new Failure('transfer', `${what}: ${response.status} ${await response.text()}`);
  return response;
}
