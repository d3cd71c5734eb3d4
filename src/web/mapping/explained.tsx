import { type FocusEvent, type PointerEvent, useEffect, useId, useRef, useState } from 'react';
import { useLater } from '../shell/later.tsx';

const loadExplanation = async () => (await import('./explanation.tsx')).Explanation;
/** A pointer on its way elsewhere is told nothing. */
const restMilliseconds = 250;

/** What explains an element: its id is the element's `aria-describedby`. */
export function useAbout(about: string) {
  const id = useId();
  return {
    described: { 'aria-describedby': id },
    description: (
      <span id={id} hidden>
        {about}
      </span>
    ),
  };
}

/**
 * Shows what describes an element where the pointer rests, or the focus is, on one of those below: one explanation for all
 * of them, which is loaded when it is first wanted.
 */
export function useExplanation() {
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const [isWanted, setIsWanted] = useState(false);
  const rest = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(rest.current), []);
  const Explanation = useLater(loadExplanation, isWanted);
  return {
    explained: {
      onPointerOver: ({ target }: PointerEvent) => {
        setIsWanted(true);
        clearTimeout(rest.current);
        const described = describedOf(target);
        if (described !== null) rest.current = setTimeout(() => setAnchor(described), restMilliseconds);
      },
      onPointerLeave: () => clearTimeout(rest.current),
      onFocus: ({ target }: FocusEvent) => {
        setIsWanted(true);
        if (target.matches(':focus-visible')) setAnchor(describedOf(target));
      },
      onBlur: () => setAnchor(null),
    },
    explanation: Explanation !== null && <Explanation anchor={anchor} onHide={() => setAnchor(null)} />,
  };
}

function describedOf(target: EventTarget): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('[aria-describedby]') : null;
}
