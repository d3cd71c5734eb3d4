import { Tooltip, TooltipAnchor, TooltipProvider } from '@ariakit/react/tooltip';
import { type ReactElement, useId } from 'react';

/** A heading that is explained where the pointer or the focus is on it, and by screen readers. */
export function Explained({ about, children }: { readonly about: string; readonly children: ReactElement }) {
  const id = useId();
  return (
    <TooltipProvider timeout={250} placement="bottom">
      <TooltipAnchor render={children} aria-describedby={id} />
      <span id={id} hidden>
        {about}
      </span>
      <Tooltip gutter={6} className="tooltip" portal unmountOnHide>
        {about}
      </Tooltip>
    </TooltipProvider>
  );
}
