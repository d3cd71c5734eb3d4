import { useId, useState } from 'react';
import { words } from '../words.ts';
import { type SignedIn, signIn } from './session.ts';

/** Where a key is exchanged for a cookie by whoever has no link. */
export function SignIn({
  reason,
  onSignedIn,
}: {
  readonly reason: string | null;
  readonly onSignedIn: (signedIn: SignedIn) => void;
}) {
  const id = useId();
  const [problem, setProblem] = useState(reason);
  const [key, setKey] = useState('');
  const [isBusy, setIsBusy] = useState(false);
  const submit = async () => {
    setIsBusy(true);
    const answer = await signIn(key.trim());
    setIsBusy(false);
    if ('reason' in answer) setProblem(answer.reason ?? words.signIn.wrong);
    else onSignedIn(answer);
  };
  return (
    <main className="sign-in">
      <h1>{words.product}</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h2>{words.signIn.title}</h2>
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
        <p role="alert" className="problem">
          {problem}
        </p>
        <button type="submit" className="primary" disabled={isBusy}>
          {words.signIn.submit}
        </button>
      </form>
    </main>
  );
}
