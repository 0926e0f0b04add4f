import {describe, expect, it} from 'vitest';

import {cut} from '../src/ranges.js';

/** @param {ReturnType<typeof cut>} ranges */
const bytes = (ranges) => ranges.map(({pieces}) => pieces.flatMap((piece) => [...piece]));

describe('ranges', () => {
  const parts = [Uint8Array.of(0, 1, 2), Uint8Array.of(3, 4, 5, 6)];

  it('begin where the one before ends, across the parts', () => {
    const ranges = cut(parts, 2);
    expect(ranges.map(({offset}) => offset)).toEqual([0, 2, 4, 6]);
    expect(bytes(ranges)).toEqual([[0, 1], [2, 3], [4, 5], [6]]);
  });

  it('are views of the very bytes, also of a part that lies inside its buffer', () => {
    const inside = new Float32Array(new Float32Array([1, 2, 3]).buffer, 4, 1);
    const [{pieces}] = cut([inside], 100);
    expect(pieces[0].buffer).toBe(inside.buffer);
    expect([pieces[0].byteOffset, pieces[0].byteLength]).toEqual([4, 4]);
  });

  it('are one where all bytes fit', () => {
    expect(bytes(cut(parts, 7))).toEqual([[0, 1, 2, 3, 4, 5, 6]]);
  });

  it('pass over parts without bytes', () => {
    expect(bytes(cut([new Uint8Array(0), ...parts], 4))).toEqual([[0, 1, 2, 3], [4, 5, 6]]);
    expect(bytes(cut([new Uint8Array(0)], 4))).toEqual([[]]);
  });
});
