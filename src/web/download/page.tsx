import { useChoices } from '../shell/address.ts';
import { useMay } from '../shell/context.ts';
import { Frame } from '../shell/frame.tsx';
import { useTitle } from '../shell/title.ts';
import { words } from '../words.ts';

/** Who may have which file, by where it is. */
const places = { statements: 'BillingStatement', audit: 'Organisation.auditLog' } as const;

/**
 * Where a link to a file leads that the server did not answer with it: nobody was signed in, or another’s page may have sent the
 * browser there. Whoever is signed in now takes it from here.
 */
export function Page() {
  const [choices] = useChoices();
  const address = choices.get('of') ?? '';
  // Of this server’s files alone: a link to this page may be anybody’s.
  const [, folder, file] = /^\/(statements|audit)\/([\w-]+\.(?:csv|html))(?:\?.*)?$/.exec(address) ?? [];
  useTitle(words.download.title, file);
  return (
    <Frame>
      <div className="notice">
        <h1>{words.download.title}</h1>
        {file === undefined ? (
          <p>{words.download.none}</p>
        ) : (
          <File folder={folder === 'audit' ? 'audit' : 'statements'} address={address} file={file} />
        )}
      </div>
    </Frame>
  );
}

function File({
  folder,
  address,
  file,
}: {
  readonly folder: keyof typeof places;
  readonly address: string;
  readonly file: string;
}) {
  const may = useMay(places[folder]);
  if (!may) return <p>{words.download.mayNot}</p>;
  return (
    <>
      <p>{words.download.about}</p>
      <a className="button primary" href={address}>
        {file}
      </a>
    </>
  );
}
