import { type ComponentType, useEffect, useState } from 'react';
import { words } from '../words.ts';

/**
 * A component that is loaded when it is first wanted; null until then. What cannot be loaded says so in its place. Not by `lazy`:
 * React holds back what a `Suspense` reveals for a third of a second.
 */
export function useLater<Props>(
  load: () => Promise<ComponentType<Props>>,
  isWanted: boolean,
): ComponentType<Props> | null {
  const [loaded, setLoaded] = useState<{ readonly component: ComponentType<Props> } | null>(null);
  useEffect(() => {
    if (!isWanted || loaded !== null) return;
    load().then(
      (component) => setLoaded({ component }),
      () => setLoaded({ component: NotLoaded }),
    );
  }, [isWanted, loaded, load]);
  return loaded?.component ?? null;
}

/** Browsers do not ask again for what they could not load, and a newer server does not have it: only the page itself can be loaded. */
function NotLoaded() {
  return (
    <div className="failure">
      <p role="alert">{words.shell.notLoaded}</p>
      <button type="button" onClick={() => location.reload()}>
        {words.shell.reload}
      </button>
    </div>
  );
}
