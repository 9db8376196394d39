/** The settings of the origin, such as the identity provider with which users sign in, if there is one. */
import { fields, optionalText, text } from '../model/wire';
import { api } from '../paths';
import { call, type Fetch, Problem, readJSON } from './problem';

export interface ProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  /** More of the authorization request, such as an audience. */
  readonly params: Readonly<Record<string, string>>;
}

export interface PageSettings {
  /** undefined where the page has none. */
  readonly provider: ProviderSettings | undefined;
  /** Whether the sign-in page takes a pasted access token: in clusters for development. */
  readonly tokenBox: boolean;
}

const none: PageSettings = { provider: undefined, tokenBox: false };

export async function pageSettings(fetcher: Fetch): Promise<PageSettings> {
  let response: Response;
  try {
    response = await call(fetcher, api.settings, { headers: { Accept: 'application/json' } });
  } catch (err) {
    if (err instanceof Problem && err.status === 404) return none;
    throw err;
  }
  // A static host may answer every unknown path with index.html.
  if (!(response.headers.get('Content-Type') ?? '').startsWith('application/json')) return none;
  const { oidc, token_box } = fields(await readJSON(response), 'config');
  return { provider: oidc === undefined ? undefined : parseProvider(oidc), tokenBox: token_box === true };
}

function parseProvider(oidc: unknown): ProviderSettings {
  const of = fields(oidc, 'config.oidc');
  const params = of['params'] === undefined ? {} : fields(of['params'], 'config.oidc.params');
  return {
    issuer: text(of, 'issuer', 'config.oidc'),
    clientId: text(of, 'client_id', 'config.oidc'),
    scope: optionalText(of, 'scope', 'config.oidc') || 'openid',
    params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
  };
}
