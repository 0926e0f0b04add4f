// TensorFlow.js for the modules of users' apps, as '@tensorflow/tfjs' is: the instance of the page, not a second one.

import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';

import {version_core} from '@tensorflow/tfjs-core';

export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
export * from '@tensorflow/tfjs-converter';

export const version = {'tfjs-core': version_core, tfjs: version_core};
