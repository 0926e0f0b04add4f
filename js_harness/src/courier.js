// A worker that moves bytes for the page. A debugger, which is what Playwright is to a browser, has it remember
// what every request sent and got for as long as whoever made the request lives; a worker's life can be ended.
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

export {}; // a module, to the type checker
