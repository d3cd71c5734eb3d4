import { useEffect, useId, useRef, useState } from 'react';
import { words } from '../words.ts';
import { type Asked, become, type NotSignedIn, type SignedIn, signIn } from './session.ts';

/** Where people go to their provider, or exchange a key for a cookie where they have no link. */
export function SignIn({
  because: { reason, openIdUrl },
  onSignedIn,
}: {
  readonly because: NotSignedIn;
  readonly onSignedIn: (signedIn: SignedIn) => void;
}) {
  const id = useId();
  const [problem, setProblem] = useState(reason);
  const [key, setKey] = useState('');
  const [isBusy, setIsBusy] = useState(false);
  const place = useRef<HTMLElement>(null);
  // It may stand where a page was, and the focus in it.
  useEffect(() => place.current?.focus(), []);
  const submit = async () => {
    setIsBusy(true);
    const answer = await signIn(key.trim());
    setIsBusy(false);
    if ('reason' in answer) setProblem(answer.reason ?? words.signIn.wrong);
    else onSignedIn(answer);
  };
  return (
    <main className="sign-in" ref={place} tabIndex={-1}>
      <h1>{words.product}</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h2>{words.signIn.title}</h2>
        <p role="alert" className="problem">
          {problem}
        </p>
        {openIdUrl !== null && (
          <>
            <a className="button primary" href={`${openIdUrl}?${new URLSearchParams({ return: here() })}`}>
              {words.signIn.openId}
            </a>
            <p className="quiet or">{words.signIn.or}</p>
          </>
        )}
        <label htmlFor={`${id}-key`}>{words.signIn.key}</label>
        <input
          id={`${id}-key`}
          value={key}
          onChange={({ target }) => setKey(target.value)}
          type="password"
          autoComplete="current-password"
          required
          aria-describedby={`${id}-hint`}
        />
        <p id={`${id}-hint`} className="quiet">
          {words.signIn.hint}
        </p>
        <button type="submit" className={openIdUrl === null ? 'primary' : ''} disabled={isBusy}>
          {words.signIn.submit}
        </button>
      </form>
    </main>
  );
}

/** Asks whoever followed a link whether they want to be who it says. */
export function Become({
  asked,
  onAnswered,
}: {
  readonly asked: Asked;
  readonly onAnswered: (answer: SignedIn | NotSignedIn) => void;
}) {
  const { present, wouldBe } = asked;
  const { title, about, stay, go } = words.signIn.become;
  return (
    <main className="sign-in">
      <h1>{words.product}</h1>
      <section>
        <h2>{title}</h2>
        <p>{about(wouldBe.role, present.role)}</p>
        <button type="button" className="primary" onClick={() => onAnswered(present)}>
          {stay(present.role)}
        </button>
        <button type="button" onClick={() => void become(asked).then(onAnswered)}>
          {go(wouldBe.role)}
        </button>
      </section>
    </main>
  );
}

/** The page that somebody wanted, and what of it. */
function here(): string {
  return location.pathname + location.search + location.hash;
}
