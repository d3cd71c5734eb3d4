import { browserSupportsWebAuthn, startAuthentication, startRegistration } from '@simplewebauthn/browser';
import { useId, useState } from 'react';
import { useMutation } from 'urql';
import { problemOf } from '../shell/client.ts';
import type { Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { AskAgain } from './ask-again.tsx';
import {
  BeginEnrolmentDocument,
  EnrolDocument,
  type PersonFragment as Person,
  RemoveSecurityKeyDocument,
} from './documents.ts';

export type { PersonFragment as Person } from './documents.ts';

/** What a mutation answers that may want a second factor. */
type Answer =
  { readonly challenge: string | null; readonly message: string } | { readonly message: string } | object;

/** The security keys of administrators, and one's own: enrolling one, and removing one. */
export function SecurityKeys({
  people,
  zone,
  onChanged,
}: {
  readonly people: readonly Person[];
  readonly zone: Zone;
  readonly onChanged: () => void;
}) {
  const id = useId();
  const [said, setSaid] = useState('');
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
  const act = async (work: () => Promise<string>) => {
    setIsBusy(true);
    try {
      setSaid(await work());
    } catch (error) {
      setSaid(text.failures[(error as Error).name] ?? (error as Error).message);
    }
    setIsBusy(false);
    onChanged();
  };

  const enrolFor = (person: Person, name: string) =>
    act(async () => {
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
  const removeKey = (securityKeyId: string, name: string) =>
    act(async () => {
      const problem = await withFactor(async (secondFactor) => {
        const { data, error } = await remove({ input: { securityKeyId, secondFactor } });
        return data?.removeSecurityKey ?? problemOf(error) ?? '';
      });
      return problem ?? text.removed(name);
    });

  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p className="quiet">{about}</p>
      {!canUseKeys && <p>{text.unusable}</p>}
      {people.length === 0 && <p className="quiet">{none}</p>}
      <p role="status" className={said === '' ? 'unseen' : 'said'}>
        {said}
      </p>
      {people.map((person) => (
        <section key={person.id} className="person" aria-label={person.displayName}>
          <h3>{person.displayName}</h3>
          {(person.securityKeys ?? []).length === 0 ? (
            <p className="quiet">{text.noKeys}</p>
          ) : (
            <div className="scroll" role="group" aria-label={text.keysOf(person.displayName)} tabIndex={0}>
              <table>
                <thead>
                  <tr>
                    {[...columns, words.keys.action].map((column) => (
                      <th key={column} scope="col">
                        {column}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
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
                          onConfirm={() => void removeKey(key.id, key.name)}
                        />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {canUseKeys && (
            <Enrol person={person} isBusy={isBusy} onEnrol={(name) => void enrolFor(person, name)} />
          )}
        </section>
      ))}
    </section>
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
      <button type="submit" disabled={isBusy} aria-label={enrolWhose(person.displayName)}>
        {enrol}
      </button>
    </form>
  );
}
