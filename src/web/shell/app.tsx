import { Component, type ComponentType, type ReactNode, useCallback, useEffect, useState } from 'react';
import { Provider } from 'urql';
import { words } from '../words.ts';
import { type Api, createApi } from './client.ts';
import { ShellContext } from './context.ts';
import { type Entered, isSame, type NotSignedIn, type SignedIn, signOut, whoIsSignedIn } from './session.ts';
import { Become, SignIn } from './sign-in.tsx';
import { hearTabs, tellTabs } from './tabs.ts';

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
  readonly entered: Entered;
  /** Enters again, where the server could not be asked. */
  readonly enter: () => Promise<Entered>;
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
  readonly entered: Entered;
  readonly enter: () => Promise<Entered>;
  readonly children: ReactNode;
}) {
  const [state, setState] = useState(entered);
  /** What is asked again while the server cannot be reached. */
  const [ask, setAsk] = useState<() => Promise<Entered>>(() => enter);
  const signedIn = signedInOf(state);
  const isAway = 'reason' in state && state.isAway === true;
  useEffect(() => {
    if (!isAway) return;
    // A screen has nobody who would try again. The same answer again is to set off the next try.
    const again = () => void ask().then((found) => setState({ ...found }));
    const timer = setTimeout(again, againMilliseconds * (0.5 + Math.random()));
    return () => clearTimeout(timer);
  }, [isAway, state, ask]);

  const lookAgain = useCallback(async (why: string) => {
    const found = await whoIsSignedIn();
    setState((before) => reconsidered(before, found, why));
  }, []);
  const onUnknown = useCallback(() => void lookAgain(words.signIn.ended), [lookAgain]);
  useEffect(() => {
    if (!isAway) tellTabs(signedIn);
  }, [isAway, signedIn]);
  useEffect(() => {
    if (isAway) return;
    return hearTabs((who) => {
      if (!isSame(who, signedIn)) void lookAgain(words.signIn.elsewhere);
    });
  }, [isAway, signedIn, lookAgain]);
  useEffect(() => {
    // Going back may show a page as it was left, whoever is signed in since.
    const show = ({ persisted }: PageTransitionEvent) => persisted && onUnknown();
    addEventListener('pageshow', show);
    return () => removeEventListener('pageshow', show);
  }, [onUnknown]);

  if (isAway) {
    return (
      <p role="status" className="notice">
        {words.link.away}
      </p>
    );
  }
  if ('reason' in state) return <SignIn because={state} onSignedIn={setState} />;
  if ('wouldBe' in state) return <Become asked={state} onAnswered={setState} />;
  const leave = () => {
    setAsk(() => signOut);
    void signOut().then(setState);
  };
  return (
    // Nothing that one person read is there for another.
    <Inside key={JSON.stringify(state)} signedIn={state} onUnknown={onUnknown} onLeave={leave}>
      {children}
    </Inside>
  );
}

/** Whose a page is by what the server says now. @param why in words, where it is nobody's any more */
function reconsidered(before: Entered, found: SignedIn | NotSignedIn, why: string): Entered {
  const signedIn = signedInOf(before);
  if (!('reason' in found)) return isSame(found, signedIn) ? before : found;
  // It may not be known now, which says nothing.
  return found.reason === null && signedIn !== null ? { ...found, reason: why } : before;
}

function signedInOf(state: Entered): SignedIn | null {
  if ('reason' in state) return null;
  return 'wouldBe' in state ? state.present : state;
}

function Inside({
  signedIn,
  onUnknown,
  onLeave,
  children,
}: {
  readonly signedIn: SignedIn;
  /** The server may know the browser no more: it is to be asked. */
  readonly onUnknown: () => void;
  readonly onLeave: () => void;
  readonly children: ReactNode;
}) {
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const opened = createApi(onUnknown);
    setApi(opened);
    return opened.close;
  }, [onUnknown]);
  if (api === null) return null;

  const { client, link, failures, uncached } = api;
  return (
    <Provider value={client}>
      <ShellContext value={{ signedIn, link, failures, uncached, signOut: onLeave }}>{children}</ShellContext>
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
