// A worker that transfers bytes for the page. A debugger such as Playwright makes the browser keep the data of every
// request while its page or worker exists; a worker can be terminated, which frees the data.
//
// Chromium sends an ArrayBuffer at 5 to 25 MB/s and a Blob ten times faster (benchmarks/transfer.py).

/** @typedef {{id: number, url: string}} Get */
/** @typedef {{id: number, url: string, ranges: Range[], total: number}} Post of ranges side by side */
/** @typedef {{offset: number, blob: Blob}} Range */
/** @typedef {{id: number, buffer: ArrayBuffer} | {id: number, refused: string}} Delivery */

/** @param {Get} order */
async function get({url}) {
  return (await checked(fetch(url))).arrayBuffer();
}

/** @param {Post} order */
async function post({url, ranges, total}) {
  const sending = ranges.map(({offset, blob}) =>
    checked(fetch(`${url}?offset=${offset}&total=${total}`, {method: 'POST', body: blob})),
  );
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
    delivery = {id: order.id, buffer: await ('ranges' in order ? post(order) : get(order))};
  } catch (error) {
    delivery = {id: order.id, refused: error instanceof Error ? error.message : String(error)};
  }
  postMessage(delivery, {transfer: 'buffer' in delivery ? [delivery.buffer] : []});
});

export {}; // makes the file a module for the type checker
