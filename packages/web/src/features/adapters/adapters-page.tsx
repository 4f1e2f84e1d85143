/** The agents of this installation: whether each runs, its versions, and what it can do. */
import type { AdapterView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Face, Loaded } from '../../ui/faces.tsx';
import { plain } from '../../ui/text.ts';

export function AdaptersPage() {
  const adapters = useApi(['adapters'], (api) => api.adapters());
  return (
    <>
      <h1>Adapters</h1>
      <Loaded query={adapters}>
        {(found) =>
          found.length === 0 ? (
            <Face title="No agents are known here" />
          ) : (
            found.map((adapter) => <Adapter key={adapter.id} adapter={adapter} />)
          )
        }
      </Loaded>
    </>
  );
}

function Adapter({ adapter }: { readonly adapter: AdapterView }) {
  const { id, status, problem, install, capabilities, skipped } = adapter;
  const versions = [
    ['adapter', adapter.adapterVersion],
    ['SDK', adapter.sdkVersion],
    ['program', adapter.programVersion],
    ['tested with', adapter.testedVersion],
  ] as const;
  return (
    <section className="card" aria-label={id}>
      <div className="row">
        <h2>{plain(id)}</h2>
        <Badge state={status} />
      </div>
      {problem !== null && <p>{plain(problem)}</p>}
      {status !== 'ready' && install !== null && (
        <p className="small">
          Install it: <code>{plain(install)}</code>
        </p>
      )}
      <dl className="facts">
        {versions.flatMap(([name, version]) =>
          version === null
            ? []
            : [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{plain(version)}</dd>],
        )}
        {Object.entries(capabilities).flatMap(([name, value]) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name} value`}>{value === true ? 'yes' : value === false ? 'no' : value}</dd>,
        ])}
      </dl>
      {skipped.map(({ name, reason }) => (
        <p key={name} className="small quiet">
          Not held to “{plain(name)}”: {plain(reason)}
        </p>
      ))}
    </section>
  );
}
