import { useEffect, useEffectEvent, useState } from 'react';

/** How long rows keep the places that live figures would change, at least. */
const restMilliseconds = 5000;

/**
 * Rows in an order in which they can be read: it is made anew at once on another occasion, or with other rows, and else for
 * changed figures now and then, while nobody holds it.
 * @param sorted as they would be by their figures now
 * @param occasion what they are sorted by
 * @param isHeld asked before rows change their places
 */
export function useOrder<Row extends { readonly id: string }>(
  sorted: readonly Row[],
  occasion: string,
  isHeld: () => boolean,
): readonly Row[] {
  const ids = sorted.map(({ id }) => id);
  const wanted = { ids, text: ids.join(' '), of: [occasion, ...ids.toSorted()].join(' ') };
  const [kept, setKept] = useState(wanted);
  if (kept.of !== wanted.of) setKept(wanted);
  const place = useEffectEvent(() => {
    if (!isHeld()) setKept(wanted);
  });
  const isOld = kept.text !== wanted.text;
  useEffect(() => {
    if (!isOld) return;
    const timer = setInterval(place, restMilliseconds);
    return () => clearInterval(timer);
  }, [isOld]);
  const rows = new Map(sorted.map((row) => [row.id, row]));
  return (kept.of === wanted.of ? kept : wanted).ids.flatMap((id) => rows.get(id) ?? []);
}

/** Whether the pointer, the focus or a selection is in an element: what is in it must not move then. */
export function isInHand(element: Element | null): boolean {
  if (element === null) return false;
  const selection = getSelection();
  return (
    element.matches(':hover') ||
    element.contains(document.activeElement) ||
    (selection !== null && !selection.isCollapsed && selection.containsNode(element, true))
  );
}
