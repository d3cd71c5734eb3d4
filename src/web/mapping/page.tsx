import { Frame } from '../shell/frame.tsx';
import { words } from '../words.ts';

/** Licence Mapping: how many seats of each licence an organisation has, and uses. */
export function Page() {
  return (
    <Frame>
      <h1>{words.pages.mapping}</h1>
    </Frame>
  );
}
