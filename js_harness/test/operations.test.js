// The list of operations that the build writes is what the graph executor of this release maps.

import {readFileSync} from 'node:fs';

import {OperationMapper} from '@tensorflow/tfjs-converter/dist/operations/operation_mapper.js';
import {expect, test} from 'vitest';

test('the list of operations is that of the executor', () => {
  const written = JSON.parse(readFileSync('pycheck/_harness/operations.json', 'utf8'));
  expect(written).toEqual(Object.keys(OperationMapper.Instance.opMappers).sort());
});
