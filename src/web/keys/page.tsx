import { useQuery } from 'urql';
import { useChoices } from '../shell/address.ts';
import { ForOrganisation } from '../shell/chosen.tsx';
import { problemOf } from '../shell/client.ts';
import { useMay, useShell } from '../shell/context.ts';
import { Frame } from '../shell/frame.tsx';
import { Picker } from '../shell/picker.tsx';
import { useTitle } from '../shell/title.ts';
import { zoneOf } from '../shell/zone.ts';
import { words } from '../words.ts';
import { ApiKeys } from './api-keys.tsx';
import { KeysDocument } from './documents.ts';
import './keys.css';
import { type Person, SecurityKeys } from './security-keys.tsx';

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
  const [{ data, error }, read] = useQuery({
    query: KeysDocument,
    variables: { organisationId, self: userId ?? '', apiKeys, administrators, own: userId !== null },
  });
  const readAgain = () => read({ requestPolicy: 'network-only' });
  const problem = problemOf(error);
  const organisation = data?.organisation;
  useTitle(words.pages.keys, organisation?.name);
  const zone = organisation == null ? null : zoneOf(organisation.timeZone);
  const self = data?.self != null && 'displayName' in data.self ? data.self : null;
  const others = (organisation?.users?.edges ?? [])
    .map(({ node }) => node)
    .filter(({ id }) => id !== self?.id);
  const people: readonly Person[] = self === null ? others : [self, ...others];
  return (
    <div className="keys">
      <div className="head">
        <h1>{words.pages.keys}</h1>
        <Picker
          key={organisation?.id ?? ''}
          name={organisation?.name ?? ''}
          onPick={(picked) => choose({ organisation: picked }, 'push')}
        />
      </div>
      {problem !== null && (
        <p role="alert" className="problem">
          {words.keys.failed(problem)}
        </p>
      )}
      {organisation === undefined && problem === null && (
        <p className="quiet notice">{words.shell.loading}</p>
      )}
      {organisation === null && <p className="notice">{words.organisation.missing}</p>}
      {organisation?.apiKeys != null && zone !== null && (
        <ApiKeys
          keys={organisation.apiKeys}
          organisationId={organisationId}
          now={organisation.now}
          zone={zone}
          onChanged={readAgain}
        />
      )}
      {zone !== null && (administrators || self !== null) && (
        <SecurityKeys people={people} zone={zone} onChanged={readAgain} />
      )}
      {organisation != null && !apiKeys && !administrators && self === null && (
        <p className="notice">{words.keys.mayNot}</p>
      )}
    </div>
  );
}
