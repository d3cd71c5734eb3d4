import { useId, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { useAnswer } from '../shell/answer.ts';
import { problemOf } from '../shell/client.ts';
import { useMay, useShell } from '../shell/context.ts';
import { Failure } from '../shell/failure.tsx';
import { Lines } from '../shell/lines.tsx';
import type { Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { AskAgain } from './ask-again.tsx';
import {
  type ApiKeyRole,
  ApiKeysDocument,
  CreateKeyDocument,
  type KeyFragment as Key,
  RevokeKeyDocument,
  type Scope,
} from './documents.ts';
import { Paged } from './paged.tsx';

const dayMilliseconds = 86_400_000;
/** Agents' keys are made by platforms, for one user each. */
const roles: readonly ApiKeyRole[] = ['WALLBOARD', 'SUPERVISOR', 'ADMINISTRATOR', 'PARTNER'];
const scopes: readonly Scope[] = ['READ', 'SESSIONS', 'USERS', 'PURCHASES', 'ORGANISATIONS', 'KEYS'];

function useKeys(organisationId: string, after: string | null) {
  const answer = useAnswer({ query: ApiKeysDocument, variables: { organisationId, after } });
  return { answer, page: answer.data?.organisation?.apiKeys };
}

/** The organisation's API keys: making one, which shows it once, and revoking one. */
export function ApiKeys({
  organisationId,
  now,
  zone,
}: {
  readonly organisationId: string;
  readonly now: string;
  readonly zone: Zone;
}) {
  const id = useId();
  const mayRevoke = useMay('Mutation.revokeApiKey');
  const mayCreate = useMay('Mutation.createApiKey');
  const { answer: reading, page } = useKeys(organisationId, null);
  const [said, setSaid] = useState('');
  const told = useRef<HTMLParagraphElement>(null);
  const [{ fetching }, revoke] = useMutation(RevokeKeyDocument);
  const { title, about, none, columns, never, all, states, ...text } = words.keys.api;

  const act = async (key: Key) => {
    const { data, error } = await revoke({ input: { keyId: key.id } });
    const answer = data?.revokeApiKey;
    setSaid(
      answer != null && 'message' in answer ? answer.message : (problemOf(error) ?? text.revoked(key.name)),
    );
    // The button that was pressed is gone.
    if (document.activeElement === document.body) told.current?.focus();
    reading.read();
  };
  const stateOf = ({ revokedAt, expiresAt }: Key) => {
    if (revokedAt !== null) return states.revoked(zone.day(revokedAt));
    if (expiresAt === null) return never;
    return expiresAt <= now ? states.expired(zone.day(expiresAt)) : zone.moment(expiresAt);
  };
  const isOver = ({ revokedAt, expiresAt }: Key) =>
    revokedAt !== null || (expiresAt !== null && expiresAt <= now);

  const shownColumns = mayRevoke ? [...columns, words.keys.action] : columns;
  const show = (key: Key) => (
    <tr key={key.id} id={key.id} tabIndex={-1} className={isOver(key) ? 'over' : ''}>
      <th scope="row">
        {key.name} <code className="quiet">{key.prefix}…</code>
      </th>
      <td>
        {words.keys.roles[key.role]}
        {key.user !== null && ` · ${key.user.displayName}`}
      </td>
      <td>{key.scopes?.map((scope) => words.keys.scopes[scope]).join(', ') ?? all}</td>
      <td>{zone.day(key.createdAt)}</td>
      <td>{key.lastUsedAt === null ? never : zone.moment(key.lastUsedAt)}</td>
      <td>{stateOf(key)}</td>
      {mayRevoke && (
        <td>
          {!isOver(key) && (
            <AskAgain
              label={text.revoke}
              what={key.name}
              confirm={text.confirm}
              isBusy={fetching}
              onConfirm={() => void act(key)}
            />
          )}
        </td>
      )}
    </tr>
  );

  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p className="quiet">{about}</p>
      {mayCreate && <Create organisationId={organisationId} now={now} onCreated={reading.read} />}
      <Failure of={reading} say={words.keys.failed} />
      {page == null && reading.problem === null && <p className="quiet">{words.shell.loading}</p>}
      {page?.edges.length === 0 && <p className="quiet">{none}</p>}
      {page != null && page.edges.length > 0 && (
        <Lines label={title} columns={shownColumns}>
          <Paged
            page={page}
            organisationId={organisationId}
            usePage={useKeys}
            show={show}
            below={(line) => (
              <tr>
                <td colSpan={shownColumns.length}>{line}</td>
              </tr>
            )}
            onShown={setSaid}
          />
        </Lines>
      )}
      <p ref={told} tabIndex={-1} role="status" className={said === '' ? 'unseen' : 'quiet'}>
        {said}
      </p>
    </section>
  );
}

function Create({
  organisationId,
  now,
  onCreated,
}: {
  readonly organisationId: string;
  readonly now: string;
  readonly onCreated: () => void;
}) {
  const id = useId();
  const { role: own } = useShell().signedIn;
  const [name, setName] = useState('');
  const [role, setRole] = useState<ApiKeyRole>('WALLBOARD');
  const [days, setDays] = useState('');
  const [narrowed, setNarrowed] = useState<readonly Scope[]>([]);
  const [shown, setShown] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [{ fetching }, create] = useMutation(CreateKeyDocument);
  const field = useRef<HTMLInputElement>(null);
  const { form, ends } = words.keys.api;
  const possible = roles.filter((one) => one !== 'PARTNER' || own === 'OPERATOR' || own === 'PARTNER');

  const submit = async () => {
    setShown(null);
    const expiresAt =
      days === '' ? null : new Date(Date.parse(now) + Number(days) * dayMilliseconds).toISOString();
    const input = {
      organisationId,
      name,
      role,
      expiresAt,
      ...(narrowed.length > 0 && { scopes: [...narrowed] }),
    };
    const { data, error } = await create({ input });
    const answer = data?.createApiKey;
    if (answer != null && 'key' in answer) {
      setShown(answer.key);
      setName('');
      setProblem(null);
      onCreated();
    } else {
      setProblem(answer != null && 'message' in answer ? answer.message : problemOf(error));
    }
  };
  return (
    <form
      className="create"
      onSubmit={(event) => {
        event.preventDefault();
        if (!fetching) void submit();
      }}
    >
      <label htmlFor={`${id}-name`}>
        <span>{form.name}</span>
        <input
          ref={field}
          id={`${id}-name`}
          type="text"
          required
          maxLength={200}
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
      </label>
      <label htmlFor={`${id}-role`}>
        <span>{form.role}</span>
        <select id={`${id}-role`} value={role} onChange={({ target }) => setRole(target.value as ApiKeyRole)}>
          {possible.map((one) => (
            <option key={one} value={one}>
              {words.keys.roles[one]}
            </option>
          ))}
        </select>
      </label>
      <label htmlFor={`${id}-days`}>
        <span>{form.ends}</span>
        <select id={`${id}-days`} value={days} onChange={({ target }) => setDays(target.value)}>
          {Object.entries(ends).map(([value, title]) => (
            <option key={value} value={value === 'never' ? '' : value}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <fieldset>
        <legend>{form.scopes}</legend>
        {scopes.map((scope) => (
          <label key={scope}>
            <input
              type="checkbox"
              checked={narrowed.includes(scope)}
              onChange={({ target }) =>
                setNarrowed(target.checked ? [...narrowed, scope] : narrowed.filter((one) => one !== scope))
              }
            />
            {words.keys.scopes[scope]}
          </label>
        ))}
      </fieldset>
      <button type="submit" className="primary" aria-disabled={fetching}>
        {form.submit}
      </button>
      <p role="alert" className="problem">
        {problem}
      </p>
      {shown !== null && (
        <Shown
          secret={shown}
          onDone={() => {
            setShown(null);
            field.current?.focus();
          }}
        />
      )}
    </form>
  );
}

/** A key, the only time that anybody sees it. */
function Shown({ secret, onDone }: { readonly secret: string; readonly onDone: () => void }) {
  const id = useId();
  const [isCopied, setIsCopied] = useState(false);
  const { once, copy, copied, done } = words.keys.api.shown;
  const copyIt = async () => {
    await navigator.clipboard.writeText(secret);
    setIsCopied(true);
  };
  return (
    <div className="shown">
      <label htmlFor={id}>{once}</label>
      <input
        id={id}
        type="text"
        readOnly
        autoFocus
        value={secret}
        onFocus={({ target }) => target.select()}
      />
      {/* Browsers have a clipboard for pages that came over TLS, or from this machine. */}
      {isSecureContext && (
        <button type="button" onClick={() => void copyIt()}>
          {copy}
        </button>
      )}
      <button type="button" onClick={onDone}>
        {done}
      </button>
      <span role="status" className="quiet">
        {isCopied && copied}
      </span>
    </div>
  );
}
