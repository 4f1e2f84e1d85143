/** The services behind the gateway: where they are, and what says so. */
import type { Provider } from './protocol.ts';

interface Service {
  readonly keyName: string;
  readonly baseUrlName: string;
  readonly baseUrl: string;
  /** What an agent's program writes before the path; a base URL of the service may end with it. */
  readonly prefix: string;
}

export const SERVICES: Readonly<Record<Provider, Service>> = {
  anthropic: {
    keyName: 'ANTHROPIC_API_KEY',
    baseUrlName: 'ANTHROPIC_BASE_URL',
    baseUrl: 'https://api.anthropic.com',
    prefix: '',
  },
  openai: {
    keyName: 'OPENAI_API_KEY',
    baseUrlName: 'OPENAI_BASE_URL',
    baseUrl: 'https://api.openai.com',
    // By custom it holds the version, which is also in every path.
    prefix: '/v1',
  },
};

/** Those of them that are secret, which a keyring may hold instead. */
export const PROVIDER_KEYS: readonly string[] = Object.values(SERVICES).map(
  ({ keyName }) => keyName,
);

/** The environment variables that belong to the gateway alone. */
export const PROVIDER_VARIABLES: readonly string[] = Object.values(SERVICES).flatMap(
  ({ keyName, baseUrlName }) => [keyName, baseUrlName],
);
