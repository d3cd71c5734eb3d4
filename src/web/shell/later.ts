import { type ComponentType, useEffect, useState } from 'react';

/**
 * A component that is loaded when it is first wanted; null until then. Not by `lazy`: React holds back what a `Suspense`
 * reveals for a third of a second.
 */
export function useLater<Props>(
  load: () => Promise<ComponentType<Props>>,
  isWanted: boolean,
): ComponentType<Props> | null {
  const [loaded, setLoaded] = useState<{ readonly component: ComponentType<Props> } | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  useEffect(() => {
    if (!isWanted || loaded !== null) return;
    load().then((component) => setLoaded({ component }), setFailure);
  }, [isWanted, loaded, load]);
  if (failure !== null) throw failure;
  return loaded?.component ?? null;
}
