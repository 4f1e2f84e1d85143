/** Who may do what, and by which means each proves to be there. */
import { useState } from 'react';
import type { PersonView } from '@ccdash/api/client';
import { useAction, useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { ErrorFace, Loaded } from '../../ui/faces.tsx';
import { ago, plain } from '../../ui/text.ts';

const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;

export function PeoplePage() {
  const people = useApi(['people'], (api) => api.people());
  const me = useApi(['people', 'me'], (api) => api.whoAmI());
  const isAdmin = me.data?.roles.includes('admin') === true;
  return (
    <>
      <h1>People</h1>
      {isAdmin && <AddPerson />}
      <Loaded query={people}>
        {(found) => (
          <ul className="list" aria-label="People">
            {found.map((person) => (
              <Person key={person.id} person={person} isAdmin={isAdmin} />
            ))}
          </ul>
        )}
      </Loaded>
    </>
  );
}

function AddPerson() {
  const [name, setName] = useState('');
  const [role, setRole] = useState<(typeof ROLES)[number]>('viewer');
  const add = useAction((api, roles: readonly string[]) => api.addPerson({ person: name, roles }));
  return (
    <form
      className="card"
      aria-label="Add a person"
      onSubmit={(event) => {
        event.preventDefault();
        const roles = role === 'viewer' ? ['viewer'] : ['viewer', role];
        add.mutate(roles, { onSuccess: () => setName('') });
      }}
    >
      <div className="row">
        <label>
          Name
          <input value={name} required onChange={(event) => setName(event.target.value)} />
        </label>
        <label>
          Role
          <select
            value={role}
            onChange={(event) =>
              setRole(ROLES.find((one) => one === event.target.value) ?? 'viewer')
            }
          >
            {ROLES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button type="submit" className="main" disabled={add.isPending}>
          Add
        </button>
      </div>
      {add.isError && <ErrorFace error={add.error} />}
    </form>
  );
}

function Person({ person, isAdmin }: { readonly person: PersonView; readonly isAdmin: boolean }) {
  const { id, isOwner, roles, revokedAt, credentials } = person;
  const login = useAction((api, who: string) => api.createPersonLogin(who));
  return (
    <li>
      <div className="item">
        <span className="name">
          {plain(id)}
          {isOwner && <span className="quiet"> owns this machine</span>}
        </span>
        {revokedAt === null ? (
          <span className="small">{roles.join(', ')}</span>
        ) : (
          <Badge state="denies" prefix="access ended, " />
        )}
        <span className="small quiet">
          {credentials.length === 0
            ? 'no credentials of their own'
            : credentials
                .map(({ kind, label, addedAt }) => `${kind} ${plain(label)}, ${ago(addedAt)}`)
                .join(' · ')}
        </span>
        {isAdmin && !isOwner && revokedAt === null && (
          <button type="button" onClick={() => login.mutate(id)}>
            Login link<span className="hidden"> for {plain(id)}</span>
          </button>
        )}
        {login.data !== undefined && (
          <p className="small">
            Works once, for 15 minutes: <code>{login.data.url}</code>
          </p>
        )}
        {login.isError && <ErrorFace error={login.error} />}
      </div>
    </li>
  );
}
