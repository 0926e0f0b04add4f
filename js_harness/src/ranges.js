// Splits an upload into ranges that are sent in parallel.

/**
 * Returns the same bytes as ranges of one length, the last one shorter; nothing is copied.
 * @param {ReadonlyArray<ArrayBufferView>} parts
 * @param {number} length in bytes
 */
export function cut(parts, length) {
  /** @type {Array<{offset: number, pieces: Uint8Array[]}>} */
  const ranges = [{offset: 0, pieces: []}];
  let room = length;
  for (const {buffer, byteOffset, byteLength} of parts) {
    for (let at = 0; at < byteLength; ) {
      if (room === 0) {
        ranges.push({offset: ranges.length * length, pieces: []});
        room = length;
      }
      const taken = Math.min(room, byteLength - at);
      ranges[ranges.length - 1].pieces.push(new Uint8Array(buffer, byteOffset + at, taken));
      at += taken;
      room -= taken;
    }
  }
  return ranges;
}
