import { Fragment } from 'react';
import { useChoices } from '../shell/address.ts';
import { useAnswer } from '../shell/answer.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { useMay, useShell } from '../shell/context.ts';
import { Failure } from '../shell/failure.tsx';
import { Frame } from '../shell/frame.tsx';
import { Picker } from '../shell/picker.tsx';
import { useTitle } from '../shell/title.ts';
import { zoneOf } from '../shell/zone.ts';
import { words } from '../words.ts';
import { ApiKeys } from './api-keys.tsx';
import { KeysDocument } from './documents.ts';
import './keys.css';
import { SecurityKeys } from './security-keys.tsx';

/** Keys: what programs and screens show who they are by, and what people show a second factor by. */
export function Page() {
  return (
    <Frame>
      <ForOrganisation>
        {(organisationId) => <OfOrganisation organisationId={organisationId} />}
      </ForOrganisation>
    </Frame>
  );
}

function OfOrganisation({ organisationId }: { readonly organisationId: string }) {
  const [, choose] = useChoices();
  const { userId } = useShell().signedIn;
  const apiKeys = useMay('Organisation.apiKeys');
  const administrators = useMay('Organisation.users') && useMay('User.securityKeys');
  const answer = useAnswer({
    query: KeysDocument,
    variables: { organisationId, self: userId ?? '', own: userId !== null },
  });
  const { data } = answer;
  const organisation = data?.organisation;
  useTitle(words.pages.keys, organisation?.name);
  const self = data?.self != null && 'displayName' in data.self ? data.self : null;
  return (
    <div className="keys">
      <div className="head">
        <h1>{words.pages.keys}</h1>
        <Picker
          name={organisation?.name ?? ''}
          onPick={(picked) => choose({ organisation: picked }, 'push')}
        />
      </div>
      <Failure of={answer} say={words.keys.failed} role="alert" />
      {data === undefined && answer.problem === null && <p className="quiet notice">{words.shell.loading}</p>}
      {organisation === null && <p className="notice">{words.organisation.missing}</p>}
      {organisation != null && (
        <Fragment key={organisation.id}>
          {apiKeys && (
            <ApiKeys
              organisationId={organisation.id}
              now={organisation.now}
              zone={zoneOf(organisation.timeZone)}
            />
          )}
          {(administrators || self !== null) && (
            <SecurityKeys
              organisationId={administrators ? organisation.id : null}
              self={self}
              zone={zoneOf(organisation.timeZone)}
            />
          )}
          {!apiKeys && !administrators && self === null && <p className="notice">{words.keys.mayNot}</p>}
        </Fragment>
      )}
    </div>
  );
}
