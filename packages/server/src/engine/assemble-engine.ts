/** Puts the parts of the engine together over one set of dependencies. */
import type { Launchable } from './begin.ts';
import type { EngineDeps } from './deps.ts';
import { createEngine } from './engine.ts';
import type { Engine } from './engine.ts';
import { createPerformer } from './perform.ts';
import { createSupervisor } from './supervise.ts';

/** An engine that has not yet taken up its runs: `open()` does. */
export function assembleEngine(deps: EngineDeps): Engine {
  const launchable: Launchable = new Map();
  const supervisor = createSupervisor(deps, launchable);
  const engine = createEngine(deps, createPerformer(deps, launchable, supervisor));
  return {
    ...engine,
    close: async () => {
      supervisor.close();
      await engine.close();
    },
  };
}
