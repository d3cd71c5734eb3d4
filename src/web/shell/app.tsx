import { Component, type ComponentType, type ReactNode, useEffect, useState } from 'react';
import { Provider } from 'urql';
import { words } from '../words.ts';
import { type Api, createApi } from './client.ts';
import { ShellContext } from './context.ts';
import { type NotSignedIn, type SignedIn, signOut, whoIsSignedIn } from './session.ts';
import { SignIn } from './sign-in.tsx';

/** About how long to wait for a server that cannot be reached, and for a page that failed. */
const [againMilliseconds, reloadMilliseconds] = [3000, 60_000];

/** A page, for whoever is signed in. */
export function App({
  Page,
  entered,
  enter,
}: {
  /** null: there is none at this address. */
  readonly Page: ComponentType | null;
  readonly entered: SignedIn | NotSignedIn;
  /** Enters again, where the server could not be asked. */
  readonly enter: () => Promise<SignedIn | NotSignedIn>;
}) {
  return (
    <Failsafe>
      <Door entered={entered} enter={enter}>
        {Page === null ? <NoSuchPage /> : <Page />}
      </Door>
    </Failsafe>
  );
}

function Door({
  entered,
  enter,
  children,
}: {
  readonly entered: SignedIn | NotSignedIn;
  readonly enter: () => Promise<SignedIn | NotSignedIn>;
  readonly children: ReactNode;
}) {
  const [state, setState] = useState(entered);
  const isAway = 'reason' in state && state.isAway === true;
  useEffect(() => {
    if (!isAway) return;
    // A screen has nobody who would try again. The same answer again is to set off the next try.
    const again = () => void enter().then((found) => setState({ ...found }));
    const timer = setTimeout(again, againMilliseconds * (0.5 + Math.random()));
    return () => clearTimeout(timer);
  }, [isAway, state, enter]);
  if (isAway) {
    return (
      <p role="status" className="notice">
        {words.link.away}
      </p>
    );
  }
  if ('reason' in state) return <SignIn because={state} onSignedIn={setState} />;
  return (
    <Inside signedIn={state} onSignedOut={setState}>
      {children}
    </Inside>
  );
}

function Inside({
  signedIn,
  onSignedOut,
  children,
}: {
  readonly signedIn: SignedIn;
  readonly onSignedOut: (why: NotSignedIn) => void;
  readonly children: ReactNode;
}) {
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const opened = createApi(() => {
      // A connection may be refused for another reason: the server has the last word.
      void whoIsSignedIn().then((found) => {
        if ('reason' in found && found.reason === null) onSignedOut({ ...found, reason: words.signIn.ended });
      });
    });
    setApi(opened);
    return opened.close;
  }, [onSignedOut]);
  if (api === null) return null;

  const leave = () => {
    void signOut().then(onSignedOut);
  };
  return (
    <Provider value={api.client}>
      <ShellContext value={{ signedIn, link: api.link, uncached: api.uncached, signOut: leave }}>
        {children}
      </ShellContext>
    </Provider>
  );
}

function NoSuchPage() {
  return (
    <div className="notice">
      <p>{words.shell.noSuchPage}</p>
      <a href="/">{words.shell.toMapping}</a>
    </div>
  );
}

/** What fails unforeseen says so, instead of leaving an empty page. */
class Failsafe extends Component<{ readonly children: ReactNode }, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override componentDidCatch() {
    // A screen has nobody who would press the button; where there is no server, an empty page would stay.
    setInterval(() => {
      void fetch(location.pathname, { method: 'HEAD' }).then(
        ({ ok }) => ok && location.reload(),
        () => {},
      );
    }, reloadMilliseconds);
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <div className="notice" role="alert">
        <p>{words.shell.failed}</p>
        <button type="button" onClick={() => location.reload()}>
          {words.shell.reload}
        </button>
      </div>
    );
  }
}
