import { browserSupportsWebAuthn, startAuthentication, startRegistration } from '@simplewebauthn/browser';
import { type ReactNode, useId, useRef, useState } from 'react';
import { useClient, useMutation } from 'urql';
import { useAnswer } from '../shell/answer.ts';
import { problemOf } from '../shell/client.ts';
import { Failure } from '../shell/failure.tsx';
import { Lines } from '../shell/lines.tsx';
import type { Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { AskAgain } from './ask-again.tsx';
import {
  AdministratorsDocument,
  BeginEnrolmentDocument,
  EnrolDocument,
  PeopleDocument,
  type PersonFragment as Person,
  RemoveSecurityKeyDocument,
} from './documents.ts';
import { Paged } from './paged.tsx';

/** What a mutation answers that may want a second factor. */
type Answer =
  { readonly challenge: string | null; readonly message: string } | { readonly message: string } | object;

/** The security keys of administrators, and one's own: enrolling one, and removing one. */
export function SecurityKeys({
  organisationId,
  self,
  zone,
}: {
  /** Whose administrators are shown; null: one may not see them. */
  readonly organisationId: string | null;
  /** Whoever looks at the page; null: no user. */
  readonly self: Person | null;
  readonly zone: Zone;
}) {
  const id = useId();
  const client = useClient();
  const [said, setSaid] = useState('');
  const told = useRef<HTMLParagraphElement>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [, begin] = useMutation(BeginEnrolmentDocument);
  const [, enrol] = useMutation(EnrolDocument);
  const [, remove] = useMutation(RemoveSecurityKeyDocument);
  const { title, about, none, columns, never, ...text } = words.keys.security;
  const canUseKeys = browserSupportsWebAuthn();

  /** Sends something, and where a second factor is wanted, once more with what one's own key answered. */
  const withFactor = async (
    send: (secondFactor: string | null) => Promise<string | Answer>,
  ): Promise<string | null> => {
    let answer = await send(null);
    if (typeof answer === 'object' && 'challenge' in answer) {
      if (answer.challenge === null) return text.noFactor;
      if (!canUseKeys) return text.unusable;
      setSaid(text.touchOwn);
      const shown = await startAuthentication({ optionsJSON: JSON.parse(answer.challenge) });
      answer = await send(JSON.stringify(shown));
    }
    if (typeof answer === 'string') return answer;
    return 'message' in answer ? answer.message : null;
  };
  const act = async (person: Person, work: () => Promise<string>) => {
    setIsBusy(true);
    try {
      setSaid(await work());
    } catch (error) {
      setSaid(text.failures[(error as Error).name] ?? (error as Error).message);
    }
    setIsBusy(false);
    // The button that was pressed is gone.
    if (document.activeElement === document.body) told.current?.focus();
    // One’s own keys as well: one of them may have been used for it.
    const ids = [person.id, ...(self === null ? [] : [self.id])];
    await client.query(PeopleDocument, { ids }, { requestPolicy: 'network-only' });
  };

  const enrolFor = (person: Person, name: string) =>
    act(person, async () => {
      const begun = await begin({ input: { userId: person.id } });
      const options = begun.data?.beginSecurityKeyEnrolment;
      if (options == null || !('options' in options))
        return options != null && 'message' in options ? options.message : (problemOf(begun.error) ?? '');
      setSaid(text.touchNew);
      const response = JSON.stringify(await startRegistration({ optionsJSON: JSON.parse(options.options) }));
      const problem = await withFactor(async (secondFactor) => {
        const { data, error } = await enrol({ input: { userId: person.id, name, response, secondFactor } });
        return data?.enrolSecurityKey ?? problemOf(error) ?? '';
      });
      return problem ?? text.enrolled(name, person.displayName);
    });
  const removeKey = (person: Person, securityKeyId: string, name: string) =>
    act(person, async () => {
      const problem = await withFactor(async (secondFactor) => {
        const { data, error } = await remove({ input: { securityKeyId, secondFactor } });
        return data?.removeSecurityKey ?? problemOf(error) ?? '';
      });
      return problem ?? text.removed(name);
    });

  const show = (person: Person) => (
    <section key={person.id} id={person.id} tabIndex={-1} className="person" aria-label={person.displayName}>
      <h3>{person.displayName}</h3>
      {(person.securityKeys ?? []).length === 0 ? (
        <p className="quiet">{text.noKeys}</p>
      ) : (
        <Lines label={text.keysOf(person.displayName)} columns={[...columns, words.keys.action]}>
          {person.securityKeys?.map((key) => (
            <tr key={key.id}>
              <th scope="row">
                {key.name}
                {key.suspectAt !== null && <span className="problem"> {text.suspect}</span>}
              </th>
              <td>{zone.day(key.createdAt)}</td>
              <td>{key.lastUsedAt === null ? never : zone.moment(key.lastUsedAt)}</td>
              <td>
                <AskAgain
                  label={text.remove}
                  what={key.name}
                  confirm={text.confirm}
                  isBusy={isBusy}
                  onConfirm={() => void removeKey(person, key.id, key.name)}
                />
              </td>
            </tr>
          ))}
        </Lines>
      )}
      {canUseKeys && (
        <Enrol person={person} isBusy={isBusy} onEnrol={(name) => void enrolFor(person, name)} />
      )}
    </section>
  );

  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p className="quiet">{about}</p>
      {!canUseKeys && <p>{text.unusable}</p>}
      <p ref={told} tabIndex={-1} role="status" className={said === '' ? 'unseen' : 'said'}>
        {said}
      </p>
      {self !== null && show(self)}
      {organisationId !== null && (
        <Administrators
          organisationId={organisationId}
          show={(person) => person.id !== self?.id && show(person)}
          none={self === null ? none : null}
          onShown={setSaid}
        />
      )}
    </section>
  );
}

function useAdministrators(organisationId: string, after: string | null) {
  const answer = useAnswer({ query: AdministratorsDocument, variables: { organisationId, after } });
  return { answer, page: answer.data?.organisation?.users };
}

function Administrators({
  organisationId,
  show,
  none,
  onShown,
}: {
  readonly organisationId: string;
  readonly show: (person: Person) => ReactNode;
  /** What is said where there are none; null: nothing. */
  readonly none: string | null;
  readonly onShown: (said: string) => void;
}) {
  const { answer, page } = useAdministrators(organisationId, null);
  return (
    <>
      <Failure of={answer} say={words.keys.failed} />
      {page == null && answer.problem === null && <p className="quiet">{words.shell.loading}</p>}
      {page?.edges.length === 0 && none !== null && <p className="quiet">{none}</p>}
      {page != null && (
        <Paged
          page={page}
          organisationId={organisationId}
          usePage={useAdministrators}
          show={show}
          below={(line) => line}
          onShown={onShown}
        />
      )}
    </>
  );
}

function Enrol({
  person,
  isBusy,
  onEnrol,
}: {
  readonly person: Person;
  readonly isBusy: boolean;
  readonly onEnrol: (name: string) => void;
}) {
  const id = useId();
  const [name, setName] = useState('');
  const { name: label, enrol, enrolWhose } = words.keys.security;
  return (
    <form
      className="enrol"
      onSubmit={(event) => {
        event.preventDefault();
        if (isBusy) return;
        onEnrol(name);
        setName('');
      }}
    >
      <label htmlFor={id}>
        <span>{label}</span>
        <input
          id={id}
          type="text"
          required
          maxLength={200}
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
      </label>
      <button type="submit" aria-disabled={isBusy} aria-label={enrolWhose(person.displayName)}>
        {enrol}
      </button>
    </form>
  );
}
