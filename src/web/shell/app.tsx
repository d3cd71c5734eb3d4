import { Component, type ReactNode, Suspense, use, useEffect, useState } from 'react';
import { Provider } from 'urql';
import { words } from '../words.ts';
import { type Api, createApi } from './client.ts';
import { ShellContext } from './context.ts';
import { pageAt } from './pages.ts';
import { type NotSignedIn, type SignedIn, signOut, whoIsSignedIn } from './session.ts';
import { SignIn } from './sign-in.tsx';

const Page = pageAt(location.pathname) ?? NoSuchPage;

/** Signs in, and shows the page of the address. */
export function App({ entering }: { readonly entering: Promise<SignedIn | NotSignedIn> }) {
  return (
    <Failsafe>
      <Suspense fallback={<Loading />}>
        <Door entering={entering} />
      </Suspense>
    </Failsafe>
  );
}

function Door({ entering }: { readonly entering: Promise<SignedIn | NotSignedIn> }) {
  const entered = use(entering);
  const [state, setState] = useState<SignedIn | NotSignedIn>(entered);
  if ('reason' in state) return <SignIn reason={state.reason} onSignedIn={setState} />;
  return <Inside signedIn={state} onSignedOut={setState} />;
}

function Inside({
  signedIn,
  onSignedOut,
}: {
  readonly signedIn: SignedIn;
  readonly onSignedOut: (why: NotSignedIn) => void;
}) {
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const opened = createApi(() => {
      // A connection may be refused for another reason: the server has the last word.
      void whoIsSignedIn().then((found) => {
        if ('reason' in found && found.reason === null) onSignedOut({ reason: words.signIn.ended });
      });
    });
    setApi(opened);
    return opened.close;
  }, [onSignedOut]);
  if (api === null) return null;

  const leave = () => {
    void signOut().then(() => onSignedOut({ reason: null }));
  };
  return (
    <Provider value={api.client}>
      <ShellContext value={{ signedIn, link: api.link, signOut: leave }}>
        <Page />
      </ShellContext>
    </Provider>
  );
}

function Loading() {
  return <p className="quiet notice">{words.shell.loading}</p>;
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
