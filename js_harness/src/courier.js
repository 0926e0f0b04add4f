// A worker that moves bytes for the page. A debugger, which is what Playwright is to a browser, has it remember
// what every request sent and got for as long as whoever made the request lives; a worker's life can be ended.
//
// Chromium sends an ArrayBuffer at 5 to 25 MB/s and a Blob ten times faster; a Blob in two ranges
// side by side is fastest where the page has just started (benchmarks/transfer.py measures it).

/** @typedef {{id: number, url: string}} Get */
/** @typedef {{id: number, url: string, parts: ArrayBufferView[], streams: number}} Post in so many ranges at most */
/** @typedef {{id: number, buffer: ArrayBuffer} | {id: number, refused: string}} Delivery */

/** A range smaller than this is not worth a connection of its own. */
const SMALLEST_RANGE = 4 << 20;

/** @param {Get} order */
async function get({url}) {
  return (await checked(fetch(url))).arrayBuffer();
}

/** @param {Post} order */
async function post({url, parts, streams}) {
  const blob = new Blob(/** @type {BlobPart[]} */ (parts));
  const count = Math.max(1, Math.min(streams, Math.floor(blob.size / SMALLEST_RANGE)));
  const step = Math.ceil(blob.size / count);
  const sending = Array.from({length: count}, (_, index) => {
    const begin = index * step;
    const body = blob.slice(begin, Math.min(blob.size, begin + step));
    return checked(fetch(`${url}?offset=${begin}&total=${blob.size}`, {method: 'POST', body}));
  });
  await Promise.all(sending);
  return new ArrayBuffer(0);
}

/** @param {Promise<Response>} request @returns {Promise<Response>} */
async function checked(request) {
  const response = await request;
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response;
}

addEventListener('message', async (/** @type {MessageEvent<Get | Post>} */ {data: order}) => {
  /** @type {Delivery} */
  let delivery;
  try {
    delivery = {id: order.id, buffer: await ('parts' in order ? post(order) : get(order))};
  } catch (error) {
    delivery = {id: order.id, refused: error instanceof Error ? error.message : String(error)};
  }
  postMessage(delivery, {transfer: 'buffer' in delivery ? [delivery.buffer] : []});
});

export {}; // a module, to the type checker
