import { Component, type ComponentType, type ReactNode, useEffect, useState } from 'react';
import { Provider } from 'urql';
import { words } from '../words.ts';
import { type Api, createApi } from './client.ts';
import { ShellContext } from './context.ts';
import { type NotSignedIn, type SignedIn, signOut, whoIsSignedIn } from './session.ts';
import { SignIn } from './sign-in.tsx';

/** A page, for whoever is signed in. */
export function App({
  Page,
  entered,
}: {
  /** null: there is none at this address. */
  readonly Page: ComponentType | null;
  readonly entered: SignedIn | NotSignedIn;
}) {
  return (
    <Failsafe>
      <Door entered={entered}>{Page === null ? <NoSuchPage /> : <Page />}</Door>
    </Failsafe>
  );
}

function Door({
  entered,
  children,
}: {
  readonly entered: SignedIn | NotSignedIn;
  readonly children: ReactNode;
}) {
  const [state, setState] = useState(entered);
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
      <ShellContext value={{ signedIn, link: api.link, signOut: leave }}>{children}</ShellContext>
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
