// The real data plane: the addon's, with its errors as the product's.
import { UnderstudyError } from '../../journal/src/errors.js';
import { pairDataPlane } from '../../native/index.js';
import { toUnderstudyError } from '../native-errors.js';
import { agentPath, cacheDir, stubPath } from '../paths.js';
import type { DataPlane, ProductPaths } from './data-plane.js';

export function nativePlane(): DataPlane {
  const addon = mapped(() => pairDataPlane()) as DataPlane | undefined;
  if (addon === undefined) {
    throw new UnderstudyError(
      'E_NATIVE_UNAVAILABLE',
      'the native addon here was built without the data plane of pairs',
      {
        hint: 'Run scripts/setup.',
      },
    );
  }
  const paths: ProductPaths = { agentPath: agentPath(), stubPath: stubPath(), cacheDir: cacheDir() };
  return {
    startPrimary: (options, onEvent) =>
      mapped(() => addon.startPrimary({ ...options, ...paths }, onEvent), options.argv[0]),
    startBackup: (options, onEvent) => mapped(() => addon.startBackup({ ...options, ...paths }, onEvent)),
    cleanLeftovers: (stateDir) => mapped(() => addon.cleanLeftovers(stateDir)),
  };
}

function mapped<T>(call: () => T, command?: string): T {
  try {
    return call();
  } catch (error) {
    throw toUnderstudyError(error, command);
  }
}
