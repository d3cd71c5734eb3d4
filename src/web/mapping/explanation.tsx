import { Tooltip, useTooltipStore } from '@ariakit/react/tooltip';
import { useLayoutEffect } from 'react';

/** Beside an element, what its `aria-describedby` names, until the pointer or the focus leaves it, or Escape. */
export function Explanation({
  anchor,
  onHide,
}: {
  /** null: nothing is explained. */
  readonly anchor: HTMLElement | null;
  readonly onHide: () => void;
}) {
  const tooltip = useTooltipStore({
    placement: 'bottom',
    open: anchor !== null,
    setOpen: (isOpen) => {
      if (!isOpen) onHide();
    },
  });
  useLayoutEffect(() => tooltip.setAnchorElement(anchor), [tooltip, anchor]);
  const id = anchor?.getAttribute('aria-describedby') ?? '';
  return (
    <Tooltip
      store={tooltip}
      gutter={6}
      className="tooltip"
      portal
      unmountOnHide
      // What the focus explains stays while the pointer is elsewhere.
      hideOnHoverOutside={() => anchor?.matches(':focus-visible') !== true}
    >
      {document.getElementById(id)?.textContent}
    </Tooltip>
  );
}
